# SPDX-License-Identifier: Apache-2.0
"""Where the acts of a release line lie in the log: enough to find them again in the line. Pure.

The order within one record is that of the names, then publications, then the rest as it happened.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from tabard_registry.log.records import time_text
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.release import Adapter, Release, publication_of

_seq = attrgetter("seq")


class EntryPosition(NamedTuple):
    """Where an entry is, and what it is chosen by."""

    seq: int
    position: int
    time: str
    channel: str


def positions_of(line: Adapter, *, after: int = 0) -> Iterator[EntryPosition]:
    """Yield the positions of a line's entries beyond a log position, in order."""
    published = [
        EntryPosition(release.seq, 0, release.published_at, "")
        for release in published_of(line.by_digest.values())
        if release.seq > after
    ]
    events = [EntryPosition(e.seq, 0, e.time, e.channel) for e in _events_from(line, after + 1)]
    for _, group in groupby(heapq.merge(published, events, key=_seq), key=_seq):
        for order, position in enumerate(group):
            yield position._replace(position=order)


def entries_of(line: Adapter) -> Iterator[HistoryEntry]:
    """Yield all entries of a line, in order."""
    published = map(publication_of, published_of(line.by_digest.values()))
    return heapq.merge(published, line.events, key=_seq)


def entries_at(line: Adapter, seq: int) -> list[HistoryEntry]:
    """Return a line's entries of one log position, in order."""
    releases = (release for release in line.by_digest.values() if release.seq == seq)
    published = map(publication_of, published_of(releases))
    end = bisect_right(line.events, seq, key=_seq)
    return [*published, *line.events[bisect_left(line.events, seq, key=_seq) : end]]


def chosen(
    entries: Iterable[HistoryEntry],
    *,
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    before: int | None = None,
) -> Iterator[HistoryEntry]:
    """Yield the entries of a channel, a time, and before a log position; None: of all."""
    earliest, latest = time_text(since) if since else "", time_text(until) if until else "~"
    for entry in entries:
        is_early = before is None or entry.seq < before
        if is_early and channel in (None, entry.channel) and earliest <= entry.time <= latest:
            yield entry


def newest(entries: Iterable[HistoryEntry], *, limit: int | None) -> tuple[HistoryEntry, ...]:
    """Return the last of some entries; None: all."""
    found = tuple(entries)
    return found if limit is None else found[max(0, len(found) - limit) :]


def published_of(releases: Iterable[Release]) -> list[Release]:
    """Return releases as they were published."""
    return sorted(releases, key=attrgetter("seq", "version"))


def order_of(entry: HistoryEntry) -> tuple[int, str, bool, int]:
    """Return what entries of all lines, and of none, are ordered by."""
    is_publication = entry.type == "publish" and entry.effective
    return (entry.seq, entry.adapter, not is_publication, entry.position)


def moves_of(line: Adapter, *, after: int = 0) -> dict[str, str]:
    """Return the earliest time of an effective move of each channel beyond a log position."""
    found: dict[str, str] = {}
    for entry in _events_from(line, after + 1):
        if entry.is_move:
            found[entry.channel] = min(entry.time, found.get(entry.channel, entry.time))
    return found


def _events_from(line: Adapter, seq: int) -> list[HistoryEntry]:
    return list(line.events[bisect_left(line.events, seq, key=_seq) :])
