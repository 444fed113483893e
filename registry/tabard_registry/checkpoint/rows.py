# SPDX-License-Identifier: Apache-2.0
"""The lines of a release line as values: a head with its channels, and a row for each release.

In: the bytes of a line. Out: rows that garbage collection need not look at. What their numbers
mean is `codec`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

_RowT = TypeVar("_RowT")


class _Row(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """A list of JSON, by the names of its items."""


class ChannelRow(_Row, frozen=True):
    """A channel. Releases are told by their positions in the line.

    Attributes:
        name: What it is called.
        position: What it points to.
        seq: Log position of its last move.
        below: What rollbacks return to.
        served: What it ever pointed to.
    """

    name: str
    position: int
    seq: int
    below: tuple[int, ...]
    served: tuple[int, ...]


class HeadRow(_Row, frozen=True):
    """What stands before the releases of a line.

    Attributes:
        name: The release line.
        versions: Those of its releases, by position, with spaces between them.
        digits: Those of their digests, one after the other.
        channels: Its channels.
        texts: What its releases say, by number.
        canaries: Its canaries, as `canaries` writes them.
    """

    name: str
    versions: str
    digits: str
    channels: tuple[ChannelRow, ...]
    texts: tuple[str, ...]
    canaries: tuple[Any, ...]


class ReleaseRow(_Row, frozen=True):
    """A release. Texts that releases share are told by their numbers.

    Attributes:
        seq: Log position of its publication.
        published_at: Time of the writer.
        notes: Free text.
        numbers: Rank, targets, bytes of the author's files, bytes of the canonical one.
        shared: Kind, purpose, family, fingerprint, dialect, licence, publisher, reason.
        triggers: Its trigger words.
        training: Names of training fields, with what they say.
        blobs: How many canonical files, and the digits of them and of the author's.
        parent: Position or digits of its parent.
        rare: What few releases have, by name.
    """

    seq: int
    published_at: str
    notes: str
    numbers: tuple[int, int, int, int]
    shared: tuple[int, int, int, int, int, int, int, int]
    triggers: tuple[int, ...]
    training: tuple[tuple[int, str], ...]
    blobs: tuple[int, str]
    parent: int | str | None
    rare: dict[str, Any]


def _reader(kind: type[_RowT]) -> Callable[[bytes | memoryview], _RowT]:
    decode = msgspec.json.Decoder(kind).decode

    def read(line: bytes | memoryview) -> _RowT:
        """Read a line; raises ValueError, of which msgspec's own errors are."""
        try:
            return decode(line)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Half of a surrogate pair is a text in Python, and nowhere else.
            return msgspec.convert(json.loads(bytes(line)), kind)

    return read


read_head = _reader(HeadRow)
"""Read the head of a release line."""
read_row = _reader(ReleaseRow)
"""Read the line of a release."""
