# SPDX-License-Identifier: Apache-2.0
"""The merged copy: who steps on it, and that nobody starves beside it."""

import random
from dataclasses import replace

import pytest

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.stack import StackKey
from tabard_server.scheduler.merging import MARGIN, TURNS_HELD_MAX, TURNS_UNMEASURED
from tabard_server.scheduler.policy import choose
from tabard_server.scheduler.snapshot import Choice, RunningRow, Snapshot, WaitingRow
from tests.server.scheduler.traces import queued

INK: StackKey = (("sha256:ink", 1.0),)
NEON: StackKey = (("sha256:neon", 0.8),)
CHEAP = Costs(row_steps={1: 0.10, 2: 0.12}, merged_steps={1: 0.08, 2: 0.10}, merge=0.05)


def _row(number: int, **changes: object) -> RunningRow:
    values: dict[str, object] = {"key": (number, 0), "size": (64, 64), "stack": INK}
    return RunningRow(**{**values, "steps_left": 20, **changes})  # type: ignore[arg-type]


def _choose(*running: RunningRow, **changes: object) -> Choice:
    snapshot = Snapshot(
        turn=9,
        waiting=queued(),
        running=running,
        rows_per_step_max=8,
        running_rows_max=16,
        overtakes_max=4,
        can_merge=True,
        costs=CHEAP,
    )
    return choose(replace(snapshot, **changes))  # type: ignore[arg-type]


def test_stack_that_owns_traffic_is_merged() -> None:
    """Rows of one stack, with steps enough to pay a merge back, step on the copy."""
    assert _choose(_row(1), _row(2)).is_merged


@pytest.mark.parametrize(
    "other",
    [
        _row(2, stack=NEON),
        _row(2, stack=()),
        _row(2, is_solo=True, stepped_at=5),
    ],
    ids=["other-stack", "bare", "solo"],
)
def test_mixed_traffic_is_not_merged(other: RunningRow) -> None:
    """A neighbour of another stack, even of none, keeps everybody in slots."""
    choice = _choose(_row(1), other)

    assert not choice.is_merged or len(choice.batch) == 1


def test_row_that_changes_over_the_steps_is_not_merged() -> None:
    """A copy wears one thing; what is the same at every step is merged as ever."""
    assert not _choose(_row(1, is_steady=False), _row(2, is_steady=False)).is_merged
    assert not _choose(_row(1), _row(2, is_steady=False)).is_merged


def test_bare_rows_are_never_merged() -> None:
    """Nothing is worn, nothing is merged."""
    assert not _choose(_row(1, stack=()), _row(2, stack=())).is_merged


def test_waiting_stranger_prevents_merge() -> None:
    """Who waits will mix the traffic soon, so a merge would be wasted."""
    waiting = queued(WaitingRow(key=(3, 0), size=(64, 64), stack=NEON, fits=False))

    assert not _choose(_row(1), waiting=waiting).is_merged


def test_copy_in_use_stays_in_use() -> None:
    """A stack that the copy wears already goes on with it while that is faster."""
    waiting = queued(WaitingRow(key=(3, 0), size=(64, 64), stack=NEON, fits=False))

    assert _choose(_row(1, steps_left=1), waiting=waiting, merged_stack=INK).is_merged


def test_copy_that_is_slower_is_left() -> None:
    """Measured cost decides: where the copy does not help, it is not used."""
    slow = replace(CHEAP, merged_steps={1: 0.2, 2: 0.2})

    assert not _choose(_row(1), _row(2), merged_stack=INK, costs=slow).is_merged


def test_merge_must_pay_for_itself() -> None:
    """Few steps left do not pay for a merge; many do."""
    gain = 0.02
    enough = int(MARGIN * CHEAP.merge / gain) + 1

    assert not _choose(_row(1, steps_left=enough - 2)).is_merged
    assert _choose(_row(1, steps_left=enough + 1)).is_merged


def test_first_merge_is_tried_for_long_jobs() -> None:
    """Before a merge was ever measured, only a long run of one stack is worth it."""
    unknown = replace(CHEAP, merge=0.0, merged_steps={})

    assert _choose(_row(1, steps_left=TURNS_UNMEASURED), costs=unknown).is_merged
    assert not _choose(_row(1, steps_left=TURNS_UNMEASURED - 1), costs=unknown).is_merged


def test_solo_row_stays_in_slots() -> None:
    """The bytes of a deterministic row may not depend on what the traffic was."""
    assert not _choose(_row(1, is_solo=True)).is_merged


@pytest.mark.parametrize("changes", [{"can_merge": False}, {"unmergeable": frozenset({INK})}])
def test_what_cannot_be_merged_is_not(changes: dict[str, object]) -> None:
    """A server without a copy, and a stack that failed to merge, keep to slots."""
    assert not _choose(_row(1), _row(2), **changes).is_merged


def test_rows_that_need_copy_share_by_stack() -> None:
    """Only rows of one stack can be in a merged pass."""
    rows = [_row(n, stack=INK if n % 2 else NEON, is_merged_only=True) for n in range(6)]

    choice = _choose(*rows)

    assert choice.is_merged
    assert {key[0] % 2 for key in choice.batch} == {0}


def test_fewer_rows_where_memory_was_short() -> None:
    """A size of which fewer rows fit gets smaller batches; other sizes do not."""
    rows = [_row(n) for n in range(6)]

    assert len(_choose(*rows, rows_fit={(64, 64): 2}).batch) == 2
    assert len(_choose(*rows, rows_fit={(32, 32): 2}).batch) == 6


@pytest.mark.parametrize("seed", range(40))
def test_nobody_starves_beside_copy(seed: int) -> None:
    """Whatever mixes, every running row steps within a bounded number of turns."""
    dice = random.Random(seed)
    costs = replace(CHEAP, merge=dice.choice([0.0, 0.01, 10.0]))
    rows = {
        n: _row(
            n,
            stack=dice.choice([INK, NEON, (("sha256:oft", 1.0),)]),
            is_merged_only=dice.random() < 0.6,
            is_solo=dice.random() < 0.2,
            size=dice.choice([(64, 64), (32, 32)]),
            steps_left=10_000,
        )
        for n in range(10)
    }
    merged: StackKey = ()
    held = 0
    groups_max = len(rows)

    for turn in range(1, 600):
        choice = _choose(
            *rows.values(), turn=turn, merged_stack=merged, merged_turns=held, costs=costs
        )
        assert choice.batch
        stack = rows[choice.batch[0][0]].stack
        if choice.is_merged:
            assert {rows[key[0]].stack for key in choice.batch} == {stack}
            held = held + 1 if stack == merged else 1
            merged = stack
        for number, _ in choice.batch:
            rows[number] = replace(rows[number], stepped_at=turn)
        longest = max(turn - row.stepped_at for row in rows.values())
        assert longest <= (TURNS_HELD_MAX + 1) * groups_max
