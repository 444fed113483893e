# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tabard_registry.errors import StoreUnavailable
from tabard_registry.index import Index, files
from tabard_registry.index.index import GAP_RECORDS_MAX
from tests.registry.described_logs import FakeJournal, history_by_scan
from tests.registry.index.small_index import LOG, OIL, assert_fresh, index_of, names, whole_history
from tests.registry.random_logs import EMPTY, act


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
    connection.execute("CREATE TABLE place (other)")
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
