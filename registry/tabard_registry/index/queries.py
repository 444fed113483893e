# SPDX-License-Identifier: Apache-2.0
"""What happened, what was served at some time, and which release lines speak of some words.

One release line answers from the snapshot; all of them from an index that is derived from it. Time
is that of the writers' clocks and orders nothing: entries stay in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tabard_registry.identity.roles import EVERYTHING, Grants
from tabard_registry.index import Index, SearchHit
from tabard_registry.index.entry_positions import chosen, entries_of, newest
from tabard_registry.journal.journal import Journal
from tabard_registry.log.records import time_text
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.release import Adapter, Release
from tabard_registry.state.sight import Hidden, hidden_from, seen_by
from tabard_registry.state.state import State


class Queries:
    """Questions about the past of one registry. Any thread; the first one may take its time."""

    def __init__(self, journal: Journal, *, registry_id: str, cache: Path | None) -> None:
        """Take the folder where the derived index is kept; None keeps it in memory."""
        self._journal = journal
        self._index = Index(cache, registry_id=registry_id)

    def search(
        self, words: str, *, limit: int = 50, grants: Grants = EVERYTHING
    ) -> tuple[SearchHit, ...]:
        """Find release lines by words in names, notes, trigger words, base and kind, best first.

        Args:
            words: The words.
            limit: At most this many.
            grants: Those of who asks. A line of which they see only some releases is not found.
        """
        return self._fresh_index().search(words, limit=limit, hidden=self._hidden(grants))

    def history(
        self,
        adapter: AdapterName | None = None,
        *,
        channel: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int | None = None,
        grants: Grants = EVERYTHING,
    ) -> tuple[HistoryEntry, ...]:
        """Return the newest acts that concern an adapter, a channel and a time, oldest first.

        Args:
            adapter: Only on this adapter; None: on all.
            channel: Only moves of this channel; None: everything.
            since: Only at this time or later.
            until: Only at this time or earlier.
            before: Only before this log position.
            limit: At most this many; None: all.
            grants: Those of who asks: what is hidden from them did not happen.
        """
        if adapter is None:
            index = self._fresh_index()
            return index.history(
                channel=channel,
                since=since,
                until=until,
                before=before,
                limit=limit,
                hidden=self._hidden(grants),
            )
        line = seen_by(self._journal.state, grants).adapters.get(adapter)
        return history_of(
            line, channel=channel, since=since, until=until, before=before, limit=limit
        )

    def served_at(
        self,
        at: datetime,
        *,
        adapter: AdapterName | None = None,
        channel: str | None = None,
        grants: Grants = EVERYTHING,
    ) -> tuple[Serving, ...]:
        """Tell what channels pointed to at some time, and why, as far as the grants go.

        Raises:
            NotFound: There is no such adapter, or it is hidden.
        """
        state = self._journal.state
        if adapter is not None:
            seen_by(state, grants).adapter(adapter)
            names: tuple[AdapterName, ...] = (adapter,)
        else:
            names = self._fresh_index().moved(until=at, channel=channel)
        lines = (line for name in names if (line := state.adapters.get(name)))
        found = (one for line in lines for one in serving_of(line, at=at, channel=channel))
        return tuple(_seen(found, state=state, hidden=hidden_from(state, grants)))

    def close(self) -> None:
        """Close the derived index. Idempotent."""
        self._index.close()

    def _hidden(self, grants: Grants) -> Hidden | None:
        return hidden_from(self._journal.state, grants)

    def _fresh_index(self) -> Index:
        self._index.update(self._journal)
        return self._index


def history_of(
    line: Adapter | None,
    *,
    channel: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> tuple[HistoryEntry, ...]:
    """Return the newest acts on a line, oldest first; none for no line."""
    if line is None:
        return ()
    found = chosen(entries_of(line), channel=channel, since=since, until=until, before=before)
    return newest(found, limit=limit)


def serving_of(line: Adapter, *, at: datetime, channel: str | None) -> tuple[Serving, ...]:
    """Tell what the channels of a line pointed to at a time: their last move until then."""
    latest = time_text(at)
    last: dict[str, HistoryEntry] = {}
    for entry in line.events:
        is_move = entry.is_move and entry.time <= latest
        if is_move and channel in (None, entry.channel):
            last[entry.channel] = entry
    return tuple(
        Serving(
            adapter=line.name,
            channel=name,
            release=line.by_digest[Digest.parse(entry.digest)],
            since=entry,
        )
        for name, entry in sorted(last.items())
    )


def _seen(servings: Iterable[Serving], *, state: State, hidden: Hidden | None) -> Iterator[Serving]:
    """Leave out what is hidden, also where it was what a channel pointed to then."""
    for one in servings:
        if hidden is None:
            yield one
        elif not hidden.hides(one.release):
            since = hidden.entry(one.since, line=state.adapters[one.adapter])
            if since is not None:
                yield replace(one, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a channel pointed to at some time, and why.

    Attributes:
        adapter: The release line.
        channel: The channel.
        release: What it pointed to.
        since: The act that moved it there.
    """

    adapter: AdapterName
    channel: str
    release: Release
    since: HistoryEntry
