# SPDX-License-Identifier: Apache-2.0
"""Ways to damage a file as disks, networks and hands do: without knowing what the bytes say."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.fuzz.changes.demand import Demand

BentBytes = tuple[bytes, Demand]


def flip_anywhere(rng: Random, content: bytes) -> BentBytes:
    """Flip a few bits."""
    return _flipped(rng, content, 0, len(content)), Demand.EITHER


def flip_header(rng: Random, content: bytes) -> BentBytes:
    """Flip a few bits of the header, its length among them."""
    return _flipped(rng, content, 0, 8 + _header_bytes(content)), Demand.EITHER


def flip_data(rng: Random, content: bytes) -> BentBytes:
    """Flip a few bits of the numbers."""
    return _flipped(rng, content, 8 + _header_bytes(content), len(content)), Demand.EITHER


def truncate(rng: Random, content: bytes) -> BentBytes:
    """Let the file end too early."""
    return content[: rng.choice((rng.randrange(len(content)), len(content) - 1))], Demand.BREAKS


def extend(rng: Random, content: bytes) -> BentBytes:
    """Let something follow after the last tensor."""
    return content + rng.choice((b"\0", rng.randbytes(7), content, b"PK\x03\x04")), Demand.BREAKS


def lie(rng: Random, content: bytes) -> BentBytes:
    """Announce another length of the header."""
    true = _header_bytes(content)
    near = true + rng.choice((-8, -2, -1, 1, 2, 8))
    length = rng.choice((near, 0, 1, 2**31, 2**63, 2**64 - 1, rng.randrange(2**24), len(content)))
    return (length % 2**64).to_bytes(8, "little") + content[8:], Demand.BREAKS


def splice(rng: Random, content: bytes) -> BentBytes:
    """Write a piece over another place, or noise, or zeros."""
    length = rng.randrange(1, 65)
    source, target = rng.randrange(len(content)), rng.randrange(len(content))
    piece = rng.choice((content[source : source + length], rng.randbytes(length), bytes(length)))
    found = bytearray(content)
    found[target : target + len(piece)] = piece
    return bytes(found), Demand.EITHER


def cut_out(rng: Random, content: bytes) -> BentBytes:
    """Lose a piece from the middle."""
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randrange(1, 65) :], Demand.EITHER


def disguise(rng: Random, content: bytes) -> BentBytes:
    """Begin like something else."""
    start = rng.choice((b"PK\x03\x04", b"\x80\x02}q", b"GGUF", b"\x1f\x8b", b"<html>", b"{", b""))
    return start + rng.choice((content, rng.randbytes(64), b"")), (
        Demand.BREAKS if start else Demand.EITHER
    )


def _flipped(rng: Random, content: bytes, start: int, end: int) -> bytes:
    found = bytearray(content)
    start, end = (start, min(end, len(found))) if start < len(found) else (0, len(found))
    for _ in range(rng.choice((1, 1, 2, 8))):
        found[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(found)


def _header_bytes(content: bytes) -> int:
    return min(int.from_bytes(content[:8], "little"), len(content))


BYTE_CHANGES: tuple[Callable[[Random, bytes], BentBytes], ...] = (
    *(flip_anywhere, flip_header, flip_data, truncate, extend, lie, splice, cut_out, disguise),
)
