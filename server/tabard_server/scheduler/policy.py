# SPDX-License-Identifier: Apache-2.0
"""Which rows begin and which step next: a pure function of a snapshot.

First come, first served; who lacks room in the slots lets others pass, up to a bound. Rows of one
pixel size share a forward pass, sizes take turns, and a solo row runs alone. Rows that only a
merged copy can draw share passes by stack; `merging` says who has the copy. Touches no tensor.
"""

from tabard_server.scheduler.merging import must_wait_for_copy, pays_off
from tabard_server.scheduler.snapshot import Choice, RowKey, RunningRow, Snapshot, WaitingRow


def choose(snapshot: Snapshot) -> Choice:
    """Choose the rows to open and the rows of the next forward pass.

    A row that has just opened counts as just stepped, so newcomers never push aside a size that
    waits for its turn; among rows of its own size it comes first, this once. Places are bounded, so
    every running row steps within a bounded number of turns.
    """
    opened, passed = _open(snapshot)
    newcomers = [
        RunningRow(
            key=row.key,
            size=row.size,
            is_solo=row.is_solo,
            stack=row.stack,
            is_merged_only=row.is_merged_only,
            stepped_at=snapshot.turn - 1,
            steps_left=row.steps,
            is_new=True,
        )
        for row in opened
    ]
    running = [*snapshot.running, *newcomers]
    batch = _batch(running, snapshot=snapshot)
    return Choice(
        opened=tuple(row.key for row in opened),
        overtaken=tuple(passed.items()),
        batch=tuple(row.key for row in batch),
        is_merged=bool(batch) and pays_off(batch, running=running, snapshot=snapshot),
    )


def _open(snapshot: Snapshot) -> tuple[list[WaitingRow], dict[RowKey, int]]:
    """Walk the queue; return who begins, and how often each who is passed by was passed in all."""
    opened: list[WaitingRow] = []
    passed: dict[RowKey, int] = {}
    places = min(snapshot.running_rows_max - len(snapshot.running), snapshot.opened_rows_max)
    for row in snapshot.waiting:
        if len(opened) >= places or max(passed.values(), default=0) >= snapshot.overtakes_max:
            break
        if row.fits:
            opened.append(row)
            passed = {key: times + 1 for key, times in passed.items()}
        else:
            passed[row.key] = row.overtaken
    return opened, passed


def _batch(running: list[RunningRow], *, snapshot: Snapshot) -> list[RunningRow]:
    groups: dict[object, list[RunningRow]] = {}
    for row in sorted(running, key=lambda row: (row.stepped_at, row.key)):
        groups.setdefault(_group(row), []).append(row)
    # Rows are sorted, so the first group to appear holds the row that waited longest.
    for group in groups.values():
        if not must_wait_for_copy(group[0], running=running, snapshot=snapshot):
            most = snapshot.rows_per_step_max
            group.sort(key=lambda row: not row.is_new)
            return group[: min(most, snapshot.rows_fit.get(group[0].size, most))]
    return []


def _group(row: RunningRow) -> object:
    """Say with whom a row can share a forward pass."""
    if row.is_solo:
        return row.key
    return (row.size, row.stack) if row.is_merged_only else row.size
