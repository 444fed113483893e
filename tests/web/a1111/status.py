# SPDX-License-Identifier: Apache-2.0
"""What a server says of itself, for tests that ask none."""

from tabard import ServerStatus

STATUS = ServerStatus(
    version="0.1.0",
    base_family="sd1",
    base_fingerprint="sha256:" + "ab" * 32,
    base_source="somewhere/on/a/machine/base",
    device="cpu",
    registry_id="r",
    registry_seq=1,
    rows_waiting=0,
    rows_running=0,
    draining=False,
    residents=(),
    samplers=(),
    uptime_seconds=1.0,
    native_width=64,
    native_height=64,
)
