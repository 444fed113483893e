# SPDX-License-Identifier: Apache-2.0
"""A release line whose parts are read from their lines when somebody asks for them.

In: a way to parse the line of a number. Out: an `Adapter` that cannot be told from one that was
folded. What was read is kept with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from tabard_registry.checkpoint.canaries import canary_from_json
from tabard_registry.checkpoint.codec import read_channel, read_release
from tabard_registry.checkpoint.digests import HEX_DIGITS, check_digits, digest_in
from tabard_registry.checkpoint.events import events_from_json
from tabard_registry.checkpoint.later import LaterTuple
from tabard_registry.checkpoint.rows import HeadRow, read_head, read_row
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.canary import Canary
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.release import Adapter, Channel, Release


class Lines(Protocol):
    """Lines of JSON that are parsed one at a time."""

    def line(self, index: int) -> memoryview:
        """Return the line of a number."""
        ...


_VERSIONS_KEPT_MAX = 4_096
# Most release lines have the same few versions.
_parse_version = lru_cache(maxsize=_VERSIONS_KEPT_MAX)(Version.parse)


def adapter_of(lines: Lines, *, head: int, name: AdapterName) -> Adapter:
    """Read the head of a release line, and no more.

    Args:
        lines: The lines, by number.
        head: The number of the head; releases and events follow it.
        name: The release line's name, as the head has it.
    """
    row = read_head(lines.line(head))
    releases = _Releases(lines, first=head + 1, name=name, head=row)
    return Adapter(
        name=name,
        by_version=_ByVersion(releases),
        by_digest=releases,
        channels=_Channels(row.channels, releases=releases),
        events=LaterTuple(_Releases.events, releases),
        canaries=LaterTuple(_canaries, row.canaries) if row.canaries else (),
    )


def _canaries(rows: Sequence[Any]) -> Iterator[Canary]:
    return map(canary_from_json, rows)


class _Releases(Mapping[Digest, Release]):
    """The releases of one line by their digests, each read when it is asked for."""

    __slots__ = ("_digits", "_first", "_kept", "_lines", "_texts", "name", "versions")

    def __init__(self, lines: Lines, *, first: int, name: AdapterName, head: HeadRow) -> None:
        self._first = first
        self._texts = head.texts
        self._digits = check_digits(head.digits)
        self._kept: dict[int, Release] = {}
        self._lines = lines
        self.name = name
        self.versions = head.versions.split()

    def __getitem__(self, digest: Digest) -> Release:
        position = self._position_of(digest.hex)
        if position < 0:
            raise KeyError(digest)
        return self.at(position)

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, Digest) and self._position_of(digest.hex) >= 0

    def __iter__(self) -> Iterator[Digest]:
        return map(self.digest_at, range(len(self)))

    def __len__(self) -> int:
        return len(self.versions)

    def at(self, index: int) -> Release:
        """Return one release by its position."""
        found = self._kept.get(index)
        if found is None:
            found = self._kept[index] = read_release(
                read_row(self._lines.line(self._first + index)),
                adapter=self.name,
                version=self.version_at(index),
                digest=self.digest_at(index),
                texts=self._texts,
                digest_at=self.digest_at,
            )
        return found

    def version_at(self, index: int) -> Version:
        """Return one version by its position."""
        return _parse_version(self.versions[index])

    def digest_at(self, index: int) -> Digest:
        """Return one digest by its position."""
        return digest_in(self._digits, index)

    def digests_at(self, indices: Sequence[int]) -> tuple[Digest, ...]:
        """Return some digests by their positions."""
        return tuple(map(self.digest_at, indices))

    def events(self) -> tuple[HistoryEntry, ...]:
        """Read what happened to the line."""
        return events_from_json(
            json.loads(bytes(self._lines.line(self._first + len(self)))),
            name=str(self.name),
            versions=self.versions,
            digests=[str(self.digest_at(index)) for index in range(len(self))],
        )

    def _position_of(self, digits: str) -> int:
        found = self._digits.find(digits)
        while found % HEX_DIGITS and found >= 0:  # the end of one and the beginning of the next
            found = self._digits.find(digits, found + 1)
        return found // HEX_DIGITS


class _ByVersion(Mapping[Version, Release]):
    __slots__ = ("_releases",)

    def __init__(self, releases: _Releases) -> None:
        self._releases = releases

    def __getitem__(self, version: Version) -> Release:
        try:
            return self._releases.at(self._releases.versions.index(str(version)))
        except ValueError:
            raise KeyError(version) from None

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and str(version) in self._releases.versions

    def __iter__(self) -> Iterator[Version]:
        return map(_parse_version, self._releases.versions)

    def __len__(self) -> int:
        return len(self._releases)


class _Channels(Mapping[str, Channel]):
    """The channels of one line, each read when it is asked for."""

    __slots__ = ("_kept", "_releases", "_rows")

    def __init__(self, rows: Sequence[Any], *, releases: _Releases) -> None:
        self._rows = rows
        self._releases = releases
        self._kept: dict[str, Channel] = {}

    def __getitem__(self, name: str) -> Channel:
        found = self._kept.get(name)
        if found is not None:
            return found
        for row in self._rows:
            if row.name == name:
                releases = self._releases
                found = self._kept[name] = read_channel(
                    row,
                    version=releases.version_at(row.position),
                    digest=releases.digest_at(row.position),
                    digests_at=releases.digests_at,
                )
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (row.name for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)
