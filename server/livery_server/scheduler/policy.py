# SPDX-License-Identifier: Apache-2.0
"""Which rows begin and which step next: a pure function of a snapshot.

First come, first served; who lacks room in the slots lets others pass, up to a bound. Rows of one
pixel size share a forward pass, sizes take turns, and a solo row runs alone. Touches no tensor.
"""

from livery_server.scheduler.snapshot import Choice, RowKey, RunningRow, Snapshot, WaitingRow


def choose(snapshot: Snapshot) -> Choice:
    """Choose the rows to open and the rows of the next forward pass.

    A row that has just opened counts as just stepped, so newcomers never push aside a size that
    waits for its turn; every running row steps within a bounded number of turns.
    """
    opened, passed = _open(snapshot)
    newcomers = [
        RunningRow(key=row.key, size=row.size, is_solo=row.is_solo, stepped_at=snapshot.turn - 1)
        for row in opened
    ]
    return Choice(
        opened=tuple(row.key for row in opened),
        overtaken=tuple(passed.items()),
        batch=_batch([*snapshot.running, *newcomers], rows_max=snapshot.rows_per_step_max),
    )


def _open(snapshot: Snapshot) -> tuple[list[WaitingRow], dict[RowKey, int]]:
    """Walk the queue; return who begins, and how often each who is passed by was passed in all."""
    opened: list[WaitingRow] = []
    passed: dict[RowKey, int] = {}
    places = snapshot.running_rows_max - len(snapshot.running)
    for row in snapshot.waiting:
        if len(opened) >= places or max(passed.values(), default=0) >= snapshot.overtakes_max:
            break
        if row.fits:
            opened.append(row)
            passed = {key: times + 1 for key, times in passed.items()}
        else:
            passed[row.key] = row.overtaken
    return opened, passed


def _batch(running: list[RunningRow], *, rows_max: int) -> tuple[RowKey, ...]:
    groups: dict[object, list[RunningRow]] = {}
    for row in sorted(running, key=lambda row: (row.stepped_at, row.key)):
        groups.setdefault(row.key if row.is_solo else row.size, []).append(row)
    if not groups:
        return ()
    # Rows are sorted, so the first group to appear holds the row that waited longest.
    longest = next(iter(groups.values()))
    return tuple(row.key for row in longest[:rows_max])
