# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry.index.entry_positions import (
    chosen,
    entries_at,
    moves_of,
    newest,
    order_of,
    positions_of,
)
from tests.registry.described_logs import described_actions, history_by_scan, logs
from tests.registry.index.small_index import INK, LOG
from tests.registry.random_logs import act, folded

STATE, _ = folded(LOG)
HISTORY = history_by_scan(STATE)


@settings(max_examples=60)
@given(logs(described_actions), st.integers(0, 14))
def test_positions_lead_to_every_entry(log: list[list[Any]], after: int) -> None:
    """Each entry of a line is found again where its position says, in order."""
    state, _ = folded(log)
    for line in state.adapters.lines():
        positions = list(positions_of(line, after=after))

        found = [entries_at(line, one.seq)[one.position] for one in positions]

        assert [(one.time, one.channel) for one in found] == [
            (one.time, one.channel) for one in positions
        ]
        whole = [entry for seq in range(after + 1, len(log) + 1) for entry in entries_at(line, seq)]
        assert found == whole


def test_order_is_that_of_the_log() -> None:
    """Entries of all lines are sorted by position, then name, publications first."""
    assert sorted(reversed(HISTORY), key=order_of) == HISTORY


def test_both_ends_of_time_belong() -> None:
    """From the second record to the third, and nobody else's channel."""
    since, until = (datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in (2, 3))

    within = list(chosen(HISTORY, channel=None, since=since, until=until))
    stable = list(chosen(HISTORY, channel="stable", since=None, until=None))

    assert [entry.seq for entry in within] == [2, 3]
    assert [entry.seq for entry in stable] == [3, 5]


def test_newest_are_the_last() -> None:
    """A limit cuts the beginning; none and a large one cut nothing."""
    assert newest("abc", limit=2) == ("b", "c")  # type: ignore[comparison-overlap, arg-type]
    assert newest(HISTORY, limit=None) == newest(HISTORY, limit=99) == tuple(HISTORY)
    assert newest(HISTORY, limit=0) == ()


def test_earliest_effective_move_counts() -> None:
    """A promotion to where a channel points already is no move of it."""
    state, _ = folded([*LOG, [act("promote", (INK, "1.1.0"), "stable")]])
    line = state.adapters[INK]

    assert moves_of(line) == {"stable": "2026-01-01T00:00:03.000000Z"}
    assert moves_of(line, after=3) == {"stable": "2026-01-01T00:00:05.000000Z"}
    assert moves_of(line, after=5) == {}
