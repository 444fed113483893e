# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import AdapterName
from tabard_registry.index.words import WORDS_MAX
from tests.registry.described_logs import (
    FakeJournal,
    described_actions,
    found_by_scan,
    history_by_scan,
    logs,
)
from tests.registry.index.small_index import index_of, whole_history
from tests.registry.random_logs import CHANNELS

queries = st.lists(
    st.sampled_from(["w", "water", "INK", "inkb", "oil", "1", "lora", "sn"]), max_size=WORDS_MAX
)
"""Of more words, a search looks at the first ones."""
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
