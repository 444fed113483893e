# SPDX-License-Identifier: Apache-2.0
"""The index itself: brings its tables to the journal's state, and answers from them.

In a folder it shares one file with other processes; where that cannot be, it keeps tables of its
own. Any thread.
"""

from __future__ import annotations

import contextlib
import heapq
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

from tabard_registry.errors import RegistryError, StoreUnavailable
from tabard_registry.index.entry_positions import chosen, entries_at, entries_of, newest, order_of
from tabard_registry.index.files import LOCK_SECONDS_MAX, IndexFile, open_private
from tabard_registry.index.tables import SearchHit, Tables
from tabard_registry.journal.journal import Journal
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.history import HistoryEntry
from tabard_registry.state.sight import Hidden
from tabard_registry.state.state import State

GAP_RECORDS_MAX = 10_000
"""How many records an index may be behind before building it anew is quicker."""

_Answer = TypeVar("_Answer")
# A strange file may hold anything, also what can be read by SQL and by nobody else.
_FAILED = (sqlite3.Error, OSError, ValueError, TypeError, RegistryError)


class Index:
    """The derived index of one registry. Thread-safe; built when it is first needed."""

    def __init__(
        self,
        folder: Path | None,
        *,
        registry_id: str,
        lock_seconds_max: float = LOCK_SECONDS_MAX,
    ) -> None:
        """Take the folder that other processes may share; None: tables of one's own."""
        self._registry_id = registry_id
        self._file: IndexFile | None = None
        if folder is not None:
            self._file = IndexFile(
                folder, registry_id=registry_id, lock_seconds_max=lock_seconds_max
            )
        self._lock = threading.RLock()
        self._tables: Tables | None = None
        self._state: State | None = None

    def update(self, journal: Journal) -> None:
        """Bring it to the journal's state, which is read to the end of the log if it is behind.

        Raises:
            StoreUnavailable: There is no room even for a temporary file.
        """
        with self._lock:
            if self._tables is not None and self._state is journal.state:
                return
            if self._file is not None:
                try:
                    with self._file.held():
                        return self._update_file(self._file, journal)
                except _FAILED:
                    # Whatever is wrong with the folder is the operator's; search goes on without.
                    self.close()
                    self._file = None
            self._update_private(journal)

    def search(
        self, words: str, *, limit: int, hidden: Hidden | None = None
    ) -> tuple[SearchHit, ...]:
        """Find release lines in which every word begins some word, the best first."""
        with self._lock:
            hits = self._ask(lambda tables: tables.search(words, limit=limit, hidden=hidden))
            # Another process may have brought the file beyond this snapshot.
            return tuple(hit for hit in hits if hit.adapter in self._shown.adapters)

    def history(
        self,
        *,
        channel: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
        before: int | None = None,
        hidden: Hidden | None = None,
    ) -> tuple[HistoryEntry, ...]:
        """Return the newest acts on all adapters, and those on none, oldest first.

        Lines that are seen in part are not asked of the tables, which know them whole.
        """
        with self._lock:
            state = self._shown
            last = state.seq if before is None else min(state.seq, before - 1)
            positions = self._ask(
                lambda tables: tables.newest(
                    seq=last,
                    channel=channel,
                    since=since,
                    until=until,
                    limit=limit,
                    hidden=hidden,
                )
            )
        mine = sorted(_others(state, hidden=hidden), key=order_of)
        others = chosen(mine, channel=channel, since=since, until=until, before=before)
        found = heapq.merge(_entries_of(state, reversed(positions)), others, key=order_of)
        return newest(found, limit=limit)

    def moved(self, *, until: datetime, channel: str | None) -> tuple[AdapterName, ...]:
        """Return the names of lines with an effective move of a channel until then, in order."""
        with self._lock:
            return tuple(self._ask(lambda tables: tables.moved(until=until, channel=channel)))

    def close(self) -> None:
        """Close it. Idempotent; an update opens it again."""
        with self._lock:
            if self._tables is not None:
                self._tables.close()
            self._tables = self._state = None

    @property
    def _shown(self) -> State:
        assert self._state is not None, "update comes before every question"
        return self._state

    def _ask(self, question: Callable[[Tables], _Answer]) -> _Answer:
        assert self._tables is not None, "update comes before every question"
        try:
            return question(self._tables)
        except _FAILED:
            self._start_over(self._shown)
        return question(self._tables)

    def _update_file(self, file: IndexFile, journal: Journal) -> None:
        try:
            if self._tables is None or file.is_moved():
                self.close()
                self._tables = file.open()
            if self._advance(self._tables, journal):
                return
        except _FAILED:
            pass  # missing, damaged, or locked by a stranger: another file takes its place
        self._replace(file, journal.state)

    def _update_private(self, journal: Journal) -> None:
        try:
            if self._tables is None or not self._advance(self._tables, journal):
                self._fill_private(journal.state)
        except sqlite3.Error as error:
            self.close()
            raise _no_room(error) from error

    def _start_over(self, state: State) -> None:
        if self._file is not None:
            with contextlib.suppress(*_FAILED), self._file.held():
                return self._replace(self._file, state)
        try:
            self._file = None
            self._fill_private(state)
        except sqlite3.Error as error:
            self.close()
            raise _no_room(error) from error

    def _replace(self, file: IndexFile, state: State) -> None:
        self.close()
        self._tables = file.replace(lambda tables: tables.fill(state))
        self._state = state

    def _fill_private(self, state: State) -> None:
        self.close()
        self._tables = open_private()
        self._tables.fill(state)
        self._state = state

    def _advance(self, tables: Tables, journal: Journal) -> bool:
        """Bring tables forward; False when they are not an earlier view of this registry."""
        shown = tables.shown()
        if shown is None or shown.registry_id != self._registry_id:
            return False
        if shown.seq > journal.state.seq:
            with contextlib.suppress(RegistryError):
                journal.catch_up()
        state = journal.state
        gap = state.seq - shown.seq
        if not 0 <= gap <= GAP_RECORDS_MAX:
            return False
        try:
            applied = journal.applied(after=shown.seq, limit=gap)
        except RegistryError:
            return False
        if shown.head != str(applied[0].record.prev if applied else state.head):
            return False
        if applied:
            tables.advance(state, applied, after=shown.seq)
        self._state = state
        return True


def _entries_of(
    state: State, positions: Iterable[tuple[int, AdapterName, int]]
) -> Iterable[HistoryEntry]:
    found: Sequence[HistoryEntry] = ()
    last = None
    for seq, name, position in positions:
        if (seq, name) != last:
            last = (seq, name)
            line = state.adapters.get(name)
            found = entries_at(line, seq) if line else ()
        if position < len(found):
            yield found[position]


def _others(state: State, *, hidden: Hidden | None) -> Iterable[HistoryEntry]:
    """Give the entries of no line, and those of lines that are seen in part."""
    if hidden is None:
        return state.strays
    strays = (hidden.entry(entry, line=None) for entry in state.strays)
    lines = (line for name in hidden.wearers if (line := state.adapters.get(name)))
    seen = (part for line in lines if (part := hidden.line(line)) is not None)
    parts = chain.from_iterable(map(entries_of, seen))
    return chain((entry for entry in strays if entry is not None), parts)


def _no_room(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(
        f"the index for search and history cannot be kept ({error.sqlite_errorname})",
        reason="STORE_UNAVAILABLE",
        hint="Make room in the cache folder, or in the folder for temporary files.",
    )
