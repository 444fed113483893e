# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livery_registry import AdapterName
from livery_registry.errors import StoreUnavailable
from livery_registry.index import Index, files, words
from livery_registry.index.index import GAP_RECORDS_MAX
from tests.registry.spoken import (
    FakeJournal,
    found_by_scan,
    history_by_scan,
    logs,
    said_publication,
    spoken_actions,
)
from tests.registry.test_fold_properties import CHANNELS, EMPTY, LINES, act

INK, OIL = LINES
PURGE = act("purge", (INK, "1.0.0"), "")
LOG = [
    [said_publication((INK, "1.0.0"), {"notes": "for watercolor skies"})],
    [said_publication((OIL, "1.0.0"), {"notes": "thick paint", "trigger_words": ["inky oil"]})],
    [act("promote", (INK, "1.0.0"), "stable")],
    [said_publication((INK, "1.1.0"), {"notes": "for snow"})],
    [act("promote", (INK, "1.1.0"), "stable"), act("promote", (OIL, "1.0.0"), "canary")],
]
queries = st.lists(st.sampled_from(["w", "water", "INK", "inkb", "oil", "1", "lora", "sn"]))
times = st.none() | st.integers(0, 15).map(lambda s: datetime(2026, 1, 1, 0, 0, s, tzinfo=UTC))


def index_of(journal: Any, folder: Path | None = None, **settings: Any) -> Index:
    """An index of the journal's state."""
    index = Index(folder, registry_id=EMPTY.registry_id, **settings)
    index.update(journal)
    return index


def names(index: Index, words: str) -> list[str]:
    """Names of the lines that a search finds, best first."""
    return [str(hit.adapter) for hit in index.search(words, limit=50)]


def whole_history(index: Index) -> list[Any]:
    """Everything that happened."""
    return list(index.history(channel=None, since=None, until=None, limit=None))


def assert_fresh(index: Index, journal: FakeJournal) -> None:
    """The index shows what the journal's state holds."""
    for word in ("ink", "water", "thick", "1.1.0"):
        assert set(index.search(word, limit=50)) == set(index_of(journal).search(word, limit=50)), (
            word
        )
    assert whole_history(index) == history_by_scan(journal.state)


@settings(max_examples=60, deadline=None)
@given(logs(spoken_actions), queries)
def test_search_finds_what_a_scan_finds(log: list[list[Any]], typed: list[str]) -> None:
    """Every line that says all words, and no other."""
    journal = FakeJournal(log)
    index = index_of(journal)

    found = index.search(" ".join(typed), limit=50)

    assert {hit.adapter for hit in found} == found_by_scan(journal.state, " ".join(typed))
    index.close()


@settings(max_examples=100, deadline=None)
@given(
    logs(spoken_actions),
    st.sampled_from([None, "", *CHANNELS]),
    times,
    times,
    st.none() | st.integers(0, 9),
)
def test_history_is_that_of_a_scan(
    log: list[list[Any]],
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
) -> None:
    """By channel, by time and by number, with acts that did nothing and acts on nothing."""
    journal = FakeJournal(log)
    index = index_of(journal)

    found = index.history(channel=channel, since=since, until=until, limit=limit)

    wanted = history_by_scan(journal.state, channel=channel, since=since, until=until, limit=limit)
    assert list(found) == wanted
    index.close()


@settings(max_examples=60, deadline=None)
@given(logs(spoken_actions), times.filter(bool), st.sampled_from([None, *CHANNELS]))
def test_moved_names_lines_with_a_move(
    log: list[list[Any]], until: datetime, channel: str | None
) -> None:
    """Lines whose channel was moved until then, each once, by name."""
    journal = FakeJournal(log)
    index = index_of(journal)

    found = index.moved(until=until, channel=channel)

    entries = history_by_scan(journal.state, until=until)
    moves = [e for e in entries if e.type in ("promote", "rollback") and e.effective]
    wanted = {AdapterName.parse(e.adapter) for e in moves if channel in (None, e.channel)}
    assert list(found) == sorted(wanted, key=str)
    index.close()


@settings(max_examples=60, deadline=None)
@given(logs(spoken_actions), st.lists(st.integers(0, 14), max_size=3))
def test_following_is_building_anew(log: list[list[Any]], stops: list[int]) -> None:
    """An index that followed the log record by record is one built from its end."""
    journal = FakeJournal(log, seq=0)
    followed = index_of(journal)
    for seq in [*sorted(stops), len(log)]:
        journal.move_to(seq)
        followed.update(journal)

    rebuilt = index_of(FakeJournal(log))

    for word in ("ink", "water", "oil", "s", "1", "lora"):
        assert followed.search(word, limit=50) == rebuilt.search(word, limit=50)
    assert whole_history(followed) == whole_history(rebuilt)
    late = datetime(2027, 1, 1, tzinfo=UTC)
    assert followed.moved(until=late, channel=None) == rebuilt.moved(until=late, channel=None)
    followed.close()
    rebuilt.close()


def test_name_ranks_above_notes() -> None:
    """A line that is called so comes before one that only speaks of it."""
    index = index_of(FakeJournal(LOG))

    assert names(index, "ink") == ["acme/ink", "acme/oil"]


def test_snippet_shows_the_place() -> None:
    """The snippet is cut around the word that was found."""
    words = f"{'snow ' * 60}a lonely watercolor {'snow ' * 60}"
    index = index_of(FakeJournal([[said_publication((INK, "1.0.0"), {"notes": words})]]))

    [hit] = index.search("WATERC", limit=5)

    assert "lonely watercolor snow" in hit.snippet
    assert hit.snippet.startswith("…") and hit.snippet.endswith("…")


def test_accents_are_not_needed() -> None:
    """What is written with accents is found without them, and shown with them."""
    index = index_of(FakeJournal([[said_publication((INK, "1.0.0"), {"notes": "Aquarellé"})]]))

    [hit] = index.search("aquarelle", limit=5)

    assert hit.snippet == "Aquarellé"


def test_purged_notes_leave_the_index(tmp_path: Path) -> None:
    """A purge takes the notes of the release out of search; the line stays to be found by name."""
    journal = FakeJournal([*LOG, [PURGE]], seq=len(LOG))
    index = index_of(journal, tmp_path)
    assert names(index, "watercolor") == ["acme/ink"]

    journal.catch_up()
    index.update(journal)

    assert names(index, "watercolor") == []
    assert names(index, "acme 1.0.0") == ["acme/ink", "acme/oil"]


@given(st.text(max_size=30) | st.text(alphabet='"*()^:-+{}, ANDORTEinkx', max_size=30))
@settings(max_examples=300, deadline=None)
def test_nothing_typed_is_syntax(typed: str) -> None:
    """Whatever people type is words."""
    for hit in INDEX.search(typed, limit=5):
        assert hit.adapter in LINES


@pytest.mark.parametrize(
    "typed", ["", " ", '"', "*", '""', "NEAR(", "name:", "-", "\0", "\ud800", "🎨", "ink" * 999]
)
def test_words_of_nothing_find_nothing(typed: str) -> None:
    """What holds no word of any line finds no line."""
    assert INDEX.search(typed, limit=5) == ()


@pytest.mark.parametrize("typed", ['"ink"', "ink*", "(ink", "ink AND", "acme/ink", "ínk", "INK"])
def test_words_are_found_in_any_dress(typed: str) -> None:
    """Marks around a word do not hide it, except where they are words themselves."""
    found = INDEX.search(typed, limit=5)

    assert bool(found) == (typed != "ink AND")


def test_too_many_words_are_cut() -> None:
    """Only the first words are looked for."""
    assert INDEX.search("ink " * words.WORDS_MAX + "absent", limit=5)


def test_no_limit_is_too_large() -> None:
    """Limits beyond those of the index, and none at all."""
    assert len(INDEX.search("acme", limit=1 << 80)) == 2
    assert INDEX.search("acme", limit=0) == ()


INDEX = index_of(FakeJournal(LOG))


class Watched(Index):
    """Counts how often the tables were built anew."""

    built = 0

    def _replace(self, *args: Any) -> None:
        self.built += 1
        super()._replace(*args)


def file_in(folder: Path) -> Path:
    """The one index file of a folder."""
    [path] = folder.glob("*.sqlite")
    return path


def test_file_is_used_again(tmp_path: Path) -> None:
    """The next process reads what was built, and only follows the log from there."""
    journal = FakeJournal(LOG, seq=3)
    index_of(journal, tmp_path).close()
    journal.catch_up()

    index = Watched(tmp_path, registry_id=EMPTY.registry_id)
    index.update(journal)

    assert index.built == 0
    assert_fresh(index, journal)


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a database " * 1000)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _holes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)


def _another_schema(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE place (nothing)")
    connection.close()


def _strange_types(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE place SET seq = 'soon'")
    connection.commit()
    connection.close()


def _another_registry(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE place SET registry = 'another'")
    connection.commit()
    connection.close()


def _another_history(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE place SET head = 'sha256:0'")
    connection.execute("DELETE FROM entry")
    connection.commit()
    connection.close()


DAMAGES = [
    _garbage,
    _truncated,
    _empty,
    _holes,
    _another_schema,
    _strange_types,
    _another_registry,
    _another_history,
    Path.unlink,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("seq", [3, len(LOG)], ids=["behind", "newest"])
def test_damaged_file_is_built_anew(tmp_path: Path, damage: Any, seq: int) -> None:
    """Whatever lies there instead of the index, the caller gets right answers."""
    journal = FakeJournal(LOG, seq=seq)
    index_of(journal, tmp_path).close()
    damage(file_in(tmp_path))
    journal.catch_up()

    index = index_of(journal, tmp_path)

    assert_fresh(index, journal)
    assert_fresh(index_of(journal, tmp_path), journal)


def test_damage_under_an_open_index_is_repaired(tmp_path: Path) -> None:
    """A file that breaks while it is open is replaced while a question waits."""
    journal = FakeJournal(LOG)
    index = index_of(journal, tmp_path)
    path = file_in(tmp_path)
    size = path.stat().st_size

    path.write_bytes(b"x" * size)

    assert_fresh(index, journal)


def test_folder_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    """Where no folder can be made, the index keeps its tables to itself."""
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    journal = FakeJournal(LOG)

    assert_fresh(index_of(journal, tmp_path / "cache"), journal)


def test_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    """A folder of the file's name is left alone, and done without."""
    journal = FakeJournal(LOG)
    index_of(journal, tmp_path).close()
    path = file_in(tmp_path)
    path.unlink()
    path.mkdir()

    assert_fresh(index_of(journal, tmp_path), journal)
    assert path.is_dir()


def test_held_folder_is_done_without(tmp_path: Path) -> None:
    """A process that never lets go does not stop another one's search."""
    journal = FakeJournal(LOG, seq=3)
    index_of(journal, tmp_path).close()
    [lock] = tmp_path.glob("*.lock")

    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        index = index_of(journal, tmp_path, lock_seconds_max=0.0)
        journal.catch_up()
        index.update(journal)

    assert_fresh(index, journal)


def test_locked_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's transaction on the file does not stop search: another file takes its place."""
    monkeypatch.setattr(files, "_BUSY_SECONDS_MAX", 0.0)
    journal = FakeJournal(LOG, seq=3)
    index_of(journal, tmp_path).close()
    stranger = sqlite3.connect(file_in(tmp_path), isolation_level=None)
    stranger.execute("BEGIN EXCLUSIVE")
    journal.catch_up()

    index = index_of(journal, tmp_path)

    stranger.close()
    assert_fresh(index, journal)


def test_stale_journal_never_meets_a_new_file(tmp_path: Path) -> None:
    """What a killed writer left beside a damaged file is gone with it."""
    journal = FakeJournal(LOG)
    index_of(journal, tmp_path).close()
    path = file_in(tmp_path)
    _garbage(path)
    left = path.with_name(f"{path.name}-journal")
    left.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    (tmp_path / f"{path.stem}.0.new").write_bytes(b"half")

    index = index_of(journal, tmp_path)

    assert not left.exists() and not list(tmp_path.glob("*.new"))
    assert_fresh(index, journal)


def test_two_registries_share_a_folder(tmp_path: Path) -> None:
    """Each has a file of its own."""
    mine = index_of(FakeJournal(LOG), tmp_path)
    other = Index(tmp_path, registry_id="another")
    other.update(FakeJournal(LOG[:1]))  # type: ignore[arg-type]

    assert names(mine, "oil") and not names(other, "oil")


def test_file_ahead_makes_the_journal_catch_up(tmp_path: Path) -> None:
    """A file that another process brought further tells that there is more in the log."""
    index_of(FakeJournal(LOG), tmp_path).close()
    journal = FakeJournal(LOG, seq=2)

    index = Watched(tmp_path, registry_id=EMPTY.registry_id)
    index.update(journal)

    assert (journal.caught_up, journal.state.seq, index.built) == (1, len(LOG), 0)
    assert_fresh(index, journal)


def test_file_of_a_longer_past_is_built_anew(tmp_path: Path) -> None:
    """A registry restored from a backup is not shown what it has lost."""
    index_of(FakeJournal(LOG), tmp_path).close()
    journal = FakeJournal(LOG[:2])

    assert_fresh(index_of(journal, tmp_path), journal)


def test_newer_rows_of_others_are_not_shown(tmp_path: Path) -> None:
    """An index that was not updated shows its own snapshot, though the file has gone on."""
    journal = FakeJournal(LOG, seq=1)
    index = index_of(journal, tmp_path)

    index_of(FakeJournal(LOG), tmp_path)

    assert names(index, "oil") == []
    assert whole_history(index) == history_by_scan(journal.state)


def test_replaced_file_is_followed(tmp_path: Path) -> None:
    """When another process puts a new file there, the next update opens it."""
    journal = FakeJournal(LOG, seq=2)
    index = index_of(journal, tmp_path)
    file_in(tmp_path).unlink()
    index_of(journal, tmp_path)

    journal.catch_up()
    index.update(journal)

    assert_fresh(index, journal)
    assert_fresh(index_of(journal, tmp_path), journal)


def test_unreadable_past_is_built_anew(tmp_path: Path) -> None:
    """When old records cannot be read from the log, the state is enough."""
    journal = FakeJournal(LOG, seq=2)
    index_of(journal, tmp_path).close()
    journal.catch_up()

    def unavailable(**_: Any) -> None:
        raise StoreUnavailable("gone", reason="STORE_UNAVAILABLE")

    journal.applied = unavailable  # type: ignore[assignment]

    assert_fresh(index_of(journal, tmp_path), journal)


def test_large_gap_is_built_anew(tmp_path: Path) -> None:
    """Beyond some records, following would take longer than building."""
    log = [[act("yank", (OIL, "1.0.0"), "")]] * (GAP_RECORDS_MAX + 1)
    journal = FakeJournal([*LOG, *log], seq=len(LOG))
    index_of(journal, tmp_path).close()
    journal.catch_up()

    index = Watched(tmp_path, registry_id=EMPTY.registry_id)
    index.update(journal)

    assert index.built == 1


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    """Close is idempotent, and an update opens the index again."""
    journal = FakeJournal(LOG)
    index = index_of(journal, tmp_path)
    index.close()
    index.close()

    index.update(journal)

    assert_fresh(index, journal)
