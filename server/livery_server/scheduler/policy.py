# SPDX-License-Identifier: Apache-2.0
"""Which rows begin and which step next: a pure function of a snapshot.

First come, first served; who lacks room in the slots lets others pass, up to a bound. Rows of one
pixel size share a forward pass, sizes take turns, and a solo row runs alone. Touches no tensor.
"""

from collections.abc import Iterable

from livery_server.scheduler.snapshot import (
    Choice,
    RowKey,
    RunningRow,
    Snapshot,
    WaitingRow,
)


def choose(snapshot: Snapshot) -> Choice:
    """Choose the rows to open and the rows of the next forward pass.

    A row that has just opened counts as just stepped, so newcomers never push aside a size that
    waits for its turn; every running row steps within a bounded number of turns.
    """
    opened, overtaken = _open(snapshot)
    newcomers = [
        RunningRow(key=row.key, size=row.size, is_solo=row.is_solo, stepped_at=snapshot.turn - 1)
        for row in opened
    ]
    return Choice(
        opened=tuple(row.key for row in opened),
        overtaken=tuple(overtaken),
        batch=_batch([*snapshot.running, *newcomers], rows_max=snapshot.rows_per_step_max),
    )


def _open(snapshot: Snapshot) -> tuple[list[WaitingRow], list[RowKey]]:
    opened: list[WaitingRow] = []
    passed: list[RowKey] = []
    overtaken: list[RowKey] = []
    places = snapshot.running_rows_max - len(snapshot.running)
    for row in snapshot.waiting:
        if len(opened) >= places:
            break
        if row.fits:
            opened.append(row)
            overtaken += passed
        elif row.overtaken + overtaken.count(row.key) >= snapshot.overtakes_max:
            break
        else:
            passed.append(row.key)
        if _is_exhausted(snapshot, passed, overtaken):
            break
    return opened, overtaken


def _is_exhausted(
    snapshot: Snapshot, passed: Iterable[RowKey], overtaken: list[RowKey]
) -> bool:
    """Say whether somebody was passed as often as anybody may be."""
    before = {row.key: row.overtaken for row in snapshot.waiting}
    return any(
        before[key] + overtaken.count(key) >= snapshot.overtakes_max for key in passed
    )


def _batch(running: list[RunningRow], *, rows_max: int) -> tuple[RowKey, ...]:
    groups: dict[object, list[RunningRow]] = {}
    for row in sorted(running, key=lambda row: (row.stepped_at, row.key)):
        groups.setdefault(row.key if row.is_solo else row.size, []).append(row)
    if not groups:
        return ()
    # Rows are sorted, so the first group to appear holds the row that waited longest.
    longest = next(iter(groups.values()))
    return tuple(row.key for row in longest[:rows_max])
