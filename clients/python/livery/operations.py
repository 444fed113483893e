# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a running server: its status, what lies in memory, how a drain went.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A release in memory: its highest tier (`slot` or `host`), bytes there, jobs holding it."""

    adapter: str
    version: str
    digest: str
    tier: str
    bytes: int
    leases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What a server is, and how busy.

    Attributes:
        version: Version of Livery.
        base_family: e.g. `sd1`.
        base_fingerprint: All components of the base.
        base_source: Where the base was loaded from.
        device: `cpu`, `cuda:0`, ….
        registry_id: Id of its registry.
        registry_seq: Log position it has seen.
        rows_waiting: Images waiting.
        rows_running: Images being denoised.
        draining: True once a drain was asked for.
        residents: Releases in memory.
        samplers: Samplers that can be asked for.
        uptime_seconds: Since start.
        native_width: Pixels.
        native_height: Pixels.
        registry_lag_seconds: Since the registry last answered; grows while it is out of reach.
    """

    version: str
    base_family: str
    base_fingerprint: str
    base_source: str
    device: str
    registry_id: str
    registry_seq: int
    rows_waiting: int
    rows_running: int
    draining: bool
    residents: tuple[Resident, ...]
    samplers: tuple[str, ...]
    uptime_seconds: float
    native_width: int
    native_height: int
    registry_lag_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How far a drain got: jobs still running when the wait was over."""

    jobs_left: int
