# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import AdapterName
from tabard_registry.index import words
from tests.registry.described_logs import (
    FakeJournal,
    described_actions,
    found_by_scan,
    history_by_scan,
    logs,
    noted_publication,
)
from tests.registry.index.small_index import INK, LOG, index_of, names, whole_history
from tests.registry.random_logs import CHANNELS, LINES, act

PURGE = act("purge", (INK, "1.0.0"), "")
queries = st.lists(st.sampled_from(["w", "water", "INK", "inkb", "oil", "1", "lora", "sn"]))
times = st.none() | st.integers(0, 15).map(lambda s: datetime(2026, 1, 1, 0, 0, s, tzinfo=UTC))


@settings(max_examples=60)
@given(logs(described_actions), queries)
def test_search_finds_what_a_scan_finds(log: list[list[Any]], typed: list[str]) -> None:
    """Every line that says all words, and no other."""
    journal = FakeJournal(log)
    index = index_of(journal)

    found = index.search(" ".join(typed), limit=50)

    assert {hit.adapter for hit in found} == found_by_scan(journal.state, " ".join(typed))
    index.close()


@settings(max_examples=100)
@given(
    logs(described_actions),
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


@settings(max_examples=60)
@given(logs(described_actions), times.filter(bool), st.sampled_from([None, *CHANNELS]))
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


@settings(max_examples=60)
@given(logs(described_actions), st.lists(st.integers(0, 14), max_size=3))
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
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), {"notes": words})]]))

    [hit] = index.search("WATERC", limit=5)

    assert "lonely watercolor snow" in hit.snippet
    assert hit.snippet.startswith("…") and hit.snippet.endswith("…")


def test_accents_are_not_needed() -> None:
    """What is written with accents is found without them, and shown with them."""
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), {"notes": "Aquarellé"})]]))

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
    assert set(names(index, "acme 1.0.0")) == {"acme/ink", "acme/oil"}


@given(st.text(max_size=30) | st.text(alphabet='"*()^:-+{}, ANDORTEinkx', max_size=30))
@settings(max_examples=300)
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
