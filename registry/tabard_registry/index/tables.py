# SPDX-License-Identifier: Apache-2.0
"""The tables of the index and what is asked of them. Knows SQL; knows nothing of files and locks.

In: states and applied records. Out: names, snippets, and the positions of entries in the log.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime

from tabard_registry.errors import RegistryError
from tabard_registry.index.entry_positions import moves_of, positions_of
from tabard_registry.index.words import Document, documents_of, query_of, snippet_of, storable
from tabard_registry.log.records import AppliedRecord, time_text
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.release import Adapter
from tabard_registry.state.sight import Hidden
from tabard_registry.state.state import State

SCHEMA = 3
"""Version of the tables and of what is in them; another one is built anew."""
SEARCH_HITS_MAX = 1_000
"""Most lines that a search returns."""
RANKED_MAX = 4_000
"""How many of the rows that match are ranked."""

_TABLES = (
    "CREATE TABLE place (registry TEXT, seq INTEGER, head TEXT)",
    "CREATE TABLE line (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE entry (seq INTEGER, adapter TEXT, position INTEGER, time TEXT, channel TEXT)",
    "CREATE TABLE move (adapter TEXT, channel TEXT, first TEXT, PRIMARY KEY (adapter, channel))"
    " WITHOUT ROWID",
    # A release line has a row of words for each different thing that its releases say.
    "CREATE TABLE said (id INTEGER PRIMARY KEY, line INTEGER NOT NULL, version TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE words USING fts5 (name, title, triggers, facts, notes,"
    " tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')",
    # A word in the name or title says most, one in long notes least.
    "INSERT INTO words (words, rank) VALUES ('rank', 'bm25(10.0, 10.0, 4.0, 2.0, 1.0)')",
)
_INDEXES = (
    "CREATE INDEX said_line ON said (line)",
    "CREATE INDEX entry_order ON entry (seq, adapter, position)",
    "CREATE INDEX entry_channel ON entry (channel, seq, adapter, position) WHERE channel <> ''",
)
_WORDS_ACTS = frozenset({"publish", "purge", "edit"})
_BUILD_CACHE_KIB = 128 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One release line that speaks of the words.

    Attributes:
        adapter: Its name.
        snippet: Some words around the place that was found; empty when that is its name.
        found_in: What holds the words: `name`, `notes`, ….
        version: The newest of its releases that say the best of it.
    """

    adapter: AdapterName
    snippet: str
    found_in: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an index says that it shows.

    Attributes:
        registry_id: The registry.
        seq: Log position of the state.
        head: Digest of that record's bytes.
    """

    registry_id: str
    seq: int
    head: str


class Tables:
    """The tables behind one connection, which it owns. One thread at a time.

    Every method raises sqlite3.Error when the file is damaged, or another one than was expected.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def shown(self) -> Shown | None:
        """Return what the tables show, or None when they were not finished."""
        row = self._connection.execute("SELECT registry, seq, head FROM place").fetchone()
        return Shown(registry_id=str(row[0]), seq=int(row[1]), head=str(row[2])) if row else None

    def fill(self, state: State) -> None:
        """Make the tables in an empty file, and write a state into them. Holds one line at once."""
        run = self._connection.execute
        run(f"PRAGMA cache_size = -{_BUILD_CACHE_KIB}")
        run("BEGIN IMMEDIATE")
        for statement in _TABLES:
            run(statement)
        for line in state.adapters.lines():
            self._write_words(line)
            self._write_acts(line, after=0)
        for statement in _INDEXES:
            run(statement)
        self._write_shown(state)
        run("COMMIT")

    def advance(self, state: State, applied: Iterable[AppliedRecord], *, after: int) -> None:
        """Bring the tables from log position `after` to a state, by the records between."""
        acted: dict[str, bool] = {}
        for record in applied:
            for action, effect in zip(record.record.actions, record.effects, strict=True):
                is_said = effect.effective and action.type in _WORDS_ACTS
                acted[action.adapter] = acted.get(action.adapter, False) or is_said
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for name, is_said in acted.items():
                line = _find(state, name)
                if line is not None:
                    self._write_acts(line, after=after)
                    if is_said:
                        self._write_words(line)
            self._write_shown(state)
            self._connection.execute("COMMIT")
        finally:
            self._connection.rollback()

    def search(self, words: str, *, limit: int, hidden: Hidden | None = None) -> list[SearchHit]:
        """Find lines in which every word begins some word; the best first.

        Of a word that very many lines say, those are ranked that have it in their name, and some.
        """
        query = query_of(words)
        if not query or limit <= 0:
            return []
        # The whole document's rank comes last, and replaces that of the names alone.
        names_only = f"{{name title}} : ({query})"
        ranked = {**self._ranked(names_only, hidden), **self._ranked(query, hidden)}
        # A line ranks as the best of its rows, however many others it has.
        best: dict[int, tuple[float, int]] = {}
        for (line, row), rank in ranked.items():
            best[line] = min(best.get(line, (rank, row)), (rank, row))
        wanted = min(limit, SEARCH_HITS_MAX)
        worst = max(heapq.nsmallest(wanted, (rank for rank, _ in best.values())), default=0.0)
        # Equal ones by name: the order must not tell how the tables came to be, nor change from
        # one page to the next.
        named = sorted(
            (rank, self._name(line), row) for line, (rank, row) in best.items() if rank <= worst
        )
        hits = (self._hit(row, words=words) for _rank, _name, row in named[:wanted])
        return [hit for hit in hits if hit is not None]

    def newest(
        self,
        *,
        seq: int,
        channel: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
        hidden: Hidden | None = None,
    ) -> list[tuple[int, AdapterName, int]]:
        """Return log position, adapter and order of entries up to a position, the newest first."""
        wanted: list[tuple[str, object]] = [("seq <= ?", seq)]
        if channel is not None:
            # Said twice, because the index over channels holds only entries that have one.
            wanted.append(("channel = ?" + " AND channel <> ''" * bool(channel), storable(channel)))
        if since is not None:
            wanted.append(("time >= ?", time_text(since)))
        if until is not None:
            wanted.append(("time <= ?", time_text(until)))
        is_seen, values = _seen("adapter", hidden)
        rows = self._connection.execute(
            "SELECT seq, adapter, position FROM entry WHERE "
            + " AND ".join(clause for clause, _ in wanted)
            + is_seen
            + " ORDER BY seq DESC, adapter DESC, position DESC LIMIT ?",
            [*(value for _, value in wanted), *values, -1 if limit is None else max(0, limit)],
        )
        return [(seq, AdapterName.parse(name), position) for seq, name, position in rows]

    def moved(self, *, until: datetime, channel: str | None) -> list[AdapterName]:
        """Return the names of lines with an effective move of a channel until then, in order."""
        clause, values = ("", ()) if channel is None else (" AND channel = ?", (storable(channel),))
        rows = self._connection.execute(
            f"SELECT DISTINCT adapter FROM move WHERE first <= ?{clause} ORDER BY adapter",
            (time_text(until), *values),
        )
        return [AdapterName.parse(name) for (name,) in rows]

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._connection.close()

    def _ranked(self, query: str, hidden: Hidden | None) -> dict[tuple[int, int], float]:
        clause, values = _seen("line.name", hidden)
        is_seen = (
            " AND EXISTS (SELECT 1 FROM said JOIN line ON line.id = said.line"
            f" WHERE said.id = words.rowid{clause})"
        ) * bool(clause)
        # Ranking looks at each row, and is all that a search costs.
        rows = self._connection.execute(
            "SELECT said.line, said.id, found.rank FROM"
            f" (SELECT rowid AS id, rank FROM words WHERE words MATCH ?{is_seen} LIMIT ?) AS found"
            " JOIN said ON said.id = found.id",
            (query, *values, RANKED_MAX),
        )
        return {(line, row): rank for line, row, rank in rows}

    def _name(self, id: int) -> str:
        row = self._connection.execute("SELECT name FROM line WHERE id = ?", (id,)).fetchone()
        return str(row[0]) if row else ""

    def _hit(self, id: int, *, words: str) -> SearchHit | None:
        row = self._connection.execute(
            "SELECT name, title, triggers, facts, notes, version FROM words"
            " JOIN said ON said.id = words.rowid WHERE words.rowid = ?",
            (id,),
        ).fetchone()
        if row is None:
            return None
        names = (one.name for one in fields(Document))
        document = Document(**dict(zip(names, row, strict=True)))
        snippet, found_in = snippet_of(document, words=words)
        return SearchHit(
            adapter=AdapterName.parse(document.name),
            snippet=snippet,
            found_in=found_in,
            version=document.version,
        )

    def _write_shown(self, state: State) -> None:
        self._connection.execute("DELETE FROM place")
        row = (state.registry_id, state.seq, str(state.head))
        self._connection.execute("INSERT INTO place VALUES (?, ?, ?)", row)

    def _write_words(self, line: Adapter) -> None:
        name, run = str(line.name), self._connection.execute
        row = run("SELECT id FROM line WHERE name = ?", (name,)).fetchone()
        if row is None:
            row = (run("INSERT INTO line (name) VALUES (?)", (name,)).lastrowid,)
        else:
            run("DELETE FROM words WHERE rowid IN (SELECT id FROM said WHERE line = ?)", row)
            run("DELETE FROM said WHERE line = ?", row)
        for one in documents_of(line):
            said = run("INSERT INTO said (line, version) VALUES (?, ?)", (*row, one.version))
            run(
                "INSERT INTO words (rowid, name, title, triggers, facts, notes)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (said.lastrowid, *astuple(one)[:-1]),
            )

    def _write_acts(self, line: Adapter, *, after: int) -> None:
        name = str(line.name)
        self._connection.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
            [
                (one.seq, name, one.position, storable(one.time), storable(one.channel))
                for one in positions_of(line, after=after)
            ],
        )
        self._connection.executemany(
            "INSERT INTO move VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET first = min(first, excluded.first)",
            [
                (name, storable(channel), storable(first))
                for channel, first in moves_of(line, after=after).items()
            ],
        )


def _seen(name: str, hidden: Hidden | None) -> tuple[str, tuple[str, ...]]:
    """Write the condition that the line of a name is seen, and seen whole; "" where all are."""
    if hidden is None:
        return "", ()
    clause = (
        f" AND substr({name}, 1, instr({name}, '/') - 1) NOT IN (SELECT value FROM json_each(?))"
        f" AND {name} NOT IN (SELECT value FROM json_each(?))"
    )
    return clause, (
        json.dumps(sorted(hidden.namespaces)),
        json.dumps(sorted(map(str, hidden.wearers))),
    )


def _find(state: State, name: str) -> Adapter | None:
    try:
        return state.adapters.get(AdapterName.parse(name))
    except RegistryError:
        return None
