# SPDX-License-Identifier: Apache-2.0
"""Who has the merged copy, and when it is worth making: by measured cost, without starving anyone.

In: the rows that would step next, and the snapshot. Out: yes or no. There is one merged copy; rows
that need it take turns with it, and others may use it while one stack owns the traffic. Pure.
"""

import math
from collections.abc import Sequence
from itertools import chain

from tabard_server.engine_port.stack import StackKey
from tabard_server.scheduler.snapshot import RunningRow, Snapshot

GAIN_ASSUMED = 0.08
"""Share of a step that a merged copy saves, until both kinds of step were measured."""
MARGIN = 2.0
"""How many times its cost a merge must save: traffic may change before it is paid back."""
TURNS_UNMEASURED = 16
"""Turns of one stack that are reason enough to measure what a merge costs."""
OVERHEAD = 0.25
"""Share of the time that merging may take while several stacks need the copy."""
TURNS_HELD_MAX = 32


def must_wait_for_copy(
    row: RunningRow, *, running: Sequence[RunningRow], snapshot: Snapshot
) -> bool:
    """Say whether a row waits because the copy was made for others only a moment ago.

    Those others step within as many turns as there are groups, and their turns with the copy are
    counted, so the wait is bounded.
    """
    if not row.is_merged_only or row.stack == snapshot.merged_stack:
        return False
    is_in_use = any(one.is_merged_only and one.stack == snapshot.merged_stack for one in running)
    return is_in_use and snapshot.merged_turns < _turns_held(snapshot)


def pays_off(
    batch: Sequence[RunningRow], *, running: Sequence[RunningRow], snapshot: Snapshot
) -> bool:
    """Say whether a batch steps on the merged copy.

    A solo row does only if it must: its bytes may not depend on what its neighbours do.
    """
    if batch[0].is_merged_only:
        return True
    stack = batch[0].stack
    if not stack or not snapshot.can_merge or stack in snapshot.unmergeable:
        return False
    if any(row.stack != stack or row.is_solo or not row.is_steady for row in batch):
        return False
    return _is_worth_it(stack, rows=len(batch), running=running, snapshot=snapshot)


def _is_worth_it(
    stack: StackKey, *, rows: int, running: Sequence[RunningRow], snapshot: Snapshot
) -> bool:
    gain = _gain(rows, snapshot=snapshot)
    if stack == snapshot.merged_stack:
        return gain > 0
    worn = chain((row.stack for row in running), snapshot.waiting.stacks)
    if any(other != stack for other in worn):
        return False
    left = sum(row.steps_left for row in running) + snapshot.waiting.steps
    turns = math.ceil(left / rows)
    if not snapshot.costs.merge:
        return turns >= TURNS_UNMEASURED
    return gain * turns > MARGIN * snapshot.costs.merge


def _gain(rows: int, *, snapshot: Snapshot) -> float:
    """Return the seconds that one step of so many rows is shorter on the merged copy."""
    costs = snapshot.costs
    by_row, merged = costs.row_steps.get(rows), costs.merged_steps.get(rows)
    if by_row is not None and merged is not None:
        return by_row - merged
    return GAIN_ASSUMED * (by_row or merged or costs.step)


def _turns_held(snapshot: Snapshot) -> int:
    """Return for how many turns one stack keeps the copy while another wants it."""
    costs = snapshot.costs
    step = max(costs.merged_steps.values(), default=costs.step)
    if not (costs.merge and step):
        return 1
    return min(TURNS_HELD_MAX, max(1, math.ceil(costs.merge / (OVERHEAD * step))))
