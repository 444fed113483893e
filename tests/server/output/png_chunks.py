# SPDX-License-Identifier: Apache-2.0
"""The chunks of a PNG, in their order."""

import struct
from collections.abc import Iterator


def chunks_in_order(png: bytes) -> Iterator[tuple[str, str]]:
    """Give the kind of every chunk, and the keyword of those that have one."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind = png[at + 4 : at + 8].decode()
        content = png[at + 8 : at + 8 + length]
        yield kind, content.partition(b"\0")[0].decode("latin-1") if "Xt" in kind else ""
        at += length + 12
