# SPDX-License-Identifier: Apache-2.0
"""Which rows begin and which step next: a pure function of a snapshot.

Tenants take turns by work (`fair_queue`), and none has all places (`places`); who lacks room in the
slots lets others pass, up to a bound. Rows of one pixel size share a forward pass that is bounded
in seconds and in memory, tenants and sizes share the time, and a solo row runs alone. Rows that
only a merged copy can draw share passes by stack; `merging` says who has the copy. Background
draws while nobody else waits or runs; of it, shadow rows also fill what is left of a batch.
Touches no tensor.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tabard_server.engine_port.work import GUIDED_SAMPLES
from tabard_server.scheduler.fair_queue import Turns
from tabard_server.scheduler.merging import must_wait_for_copy, pays_off
from tabard_server.scheduler.places import Places
from tabard_server.scheduler.snapshot import Choice, RowKey, RunningRow, Snapshot, WaitingRow


def choose(snapshot: Snapshot) -> Choice:
    """Choose the rows to open and the rows of the next forward pass.

    The tenant that had least of the engine's time is next, and of its sizes the one that had least,
    so a newcomer waits for no more than the step that is under way, and one of each other tenant
    and size. A row that has just opened counts as just stepped, so newcomers never push aside a
    size that is no further ahead; among rows of its own size it comes first, this once. Places are
    bounded, so every running row steps again within a bounded time.

    Background rows wait while there are others, and are evicted where those lack a place, or, all
    of them and before anything else, room in the slots: so they never delay anybody by more than
    the step that is under way. Of them, shadow rows join a step of others that has room, while
    nobody waits: they make that step longer, within its bound, and nothing else.
    """
    running = [row for row in snapshot.running if not row.claim.is_background]
    if running or snapshot.waiting.queue.count(is_background=False):
        choice = _choose(running, is_background=False, snapshot=snapshot)
        return _with_shadows(choice, running, snapshot=snapshot)
    return _choose(list(snapshot.running), is_background=True, snapshot=snapshot)


def _choose(running: list[RunningRow], *, is_background: bool, snapshot: Snapshot) -> Choice:
    """Choose among some rows; whoever else runs is background, and makes way."""
    kept = {row.key for row in running}
    others = sorted(row.key for row in snapshot.running if row.key not in kept)
    opened, passed = _open(running, is_background=is_background, snapshot=snapshot)
    if others and passed:
        return Choice(evicted=tuple(others), opened=(), overtaken=(), batch=())
    running = [*running, *(_begun(row, turn=snapshot.turn) for row in opened)]
    room = max(0, snapshot.running_rows_max - len(running))
    batch = _batch(running, snapshot=snapshot)
    return Choice(
        evicted=tuple(others[room:]),
        opened=tuple(row.key for row in opened),
        overtaken=tuple(passed.items()),
        batch=tuple(row.key for row in batch),
        is_merged=bool(batch) and pays_off(batch, running=running, snapshot=snapshot),
    )


def _with_shadows(choice: Choice, running: list[RunningRow], *, snapshot: Snapshot) -> Choice:
    """Let shadow rows take what others leave of a batch, if they leave nobody waiting."""
    queue = snapshot.waiting.queue
    if not choice.batch or choice.is_merged:
        return choice
    if len(choice.opened) < queue.count(is_background=False):
        return choice
    newcomers = [
        _begun(row, turn=snapshot.turn) for row in _rows_in_turn(snapshot, is_background=False)
    ]
    callers = {row.key: row for row in (*running, *newcomers)}
    kept = {row.key for row in snapshot.running} - {*choice.evicted}
    free = max(0, snapshot.running_rows_max - len(kept | callers.keys()))
    shadows = [row for row in snapshot.running if row.claim.is_shadow and row.key in kept]
    shadows += [_begun(row, turn=snapshot.turn) for row in _waiting_shadows(free, snapshot)]
    batch = [callers[key] for key in choice.batch]
    batch += [row for row in shadows if _group(row) == _group(batch[0])]
    batch = batch[: max(len(choice.batch), _rows_at_once(batch, snapshot=snapshot))]
    joined = [row for row in batch if row.claim.is_shadow]
    return replace(
        choice,
        opened=(*choice.opened, *(row.key for row in joined if row.is_new)),
        batch=tuple(row.key for row in batch),
    )


def _turns(snapshot: Snapshot, *, is_background: bool) -> Turns[Any]:
    return snapshot.waiting.queue.turns(
        is_background=is_background, ahead=snapshot.tenants_begun, weights=snapshot.weights
    )


def _rows_in_turn(snapshot: Snapshot, *, is_background: bool) -> Iterator[WaitingRow]:
    return map(snapshot.waiting.see, _turns(snapshot, is_background=is_background))


def _waiting_shadows(count: int, snapshot: Snapshot) -> list[WaitingRow]:
    """Return the first shadow rows that have room in the slots."""
    found: list[WaitingRow] = []
    turns = _turns(snapshot, is_background=True)
    while len(found) < count and (entry := next(turns, None)):
        if not entry.claim.is_shadow:
            turns.close(entry)
        elif (row := snapshot.waiting.see(entry)).fits:
            found.append(row)
        else:
            turns.pass_by(entry)
    return found


def _begun(row: WaitingRow, *, turn: int) -> RunningRow:
    return RunningRow(
        key=row.key,
        size=row.size,
        is_solo=row.is_solo,
        stack=row.stack,
        is_merged_only=row.is_merged_only,
        is_steady=row.is_steady,
        stepped_at=turn - 1,
        steps_left=row.steps,
        samples=row.samples,
        is_new=True,
        claim=row.claim,
    )


def _open(
    running: list[RunningRow], *, is_background: bool, snapshot: Snapshot
) -> tuple[list[WaitingRow], dict[RowKey, int]]:
    """Walk the queue; return who begins, and how often each who is passed by was passed in all."""
    opened: list[WaitingRow] = []
    passed: dict[RowKey, int] = {}
    queue = snapshot.waiting.queue
    waiting = queue.tenants(is_background=is_background)
    places = Places(running, waiting=waiting, snapshot=snapshot)
    seconds = 0.0
    turns = _turns(snapshot, is_background=is_background)
    while places.free and max(passed.values(), default=0) < snapshot.overtakes_max:
        if (entry := next(turns, None)) is None:
            break
        if not places.has_one_for(entry):
            turns.close(entry)
            continue
        row = snapshot.waiting.see(entry)
        if not row.fits:
            passed[row.key] = row.overtaken
            turns.pass_by(entry)
            continue
        seconds += row.opening_seconds
        if opened and seconds > snapshot.opening_seconds_max:
            break
        opened.append(row)
        places.take(row)
        passed = {key: times + 1 for key, times in passed.items()}
    return opened, passed


def _batch(running: list[RunningRow], *, snapshot: Snapshot) -> list[RunningRow]:
    groups: dict[object, list[RunningRow]] = {}
    tenants, sizes = snapshot.tenants_ahead, snapshot.ahead

    def had(row: RunningRow) -> tuple[float, float, int, RowKey]:
        tenant, size = tenants.get(row.claim.tenant, 0.0), sizes.get(row.size, 0.0)
        return tenant, size, row.stepped_at, row.key

    for row in sorted(running, key=had):
        groups.setdefault(_group(row), []).append(row)
    # Rows are sorted, so the first group to appear is of the tenant and the size that had least
    # time, and holds the row of it that waited longest.
    for group in groups.values():
        if not must_wait_for_copy(group[0], running=running, snapshot=snapshot):
            group.sort(key=lambda row: not row.is_new)
            return group[: _rows_at_once(group, snapshot=snapshot)]
    return []


def _rows_at_once(group: list[RunningRow], *, snapshot: Snapshot) -> int:
    """Return how many rows of a group may share a step: by samples, by memory and by time.

    A row in parts has the samples of as many rows, and takes their places.

    Rows share a step because one alone does not fill the device. A full batch of the base's own
    size does: whatever takes longer than that saves nothing, and keeps newcomers waiting.
    """
    size, samples, step = group[0].size, 0, snapshot.costs.work.step
    full = step.seconds(
        snapshot.costs.work.native, samples=GUIDED_SAMPLES * snapshot.rows_per_step_max
    )
    most = min(snapshot.rows_per_step_max, snapshot.rows_fit.get(size, snapshot.rows_per_step_max))
    samples_max = GUIDED_SAMPLES * most
    for count, row in enumerate(group[:most]):
        samples += row.samples
        seconds = step.seconds(size, samples=samples)
        is_held = snapshot.plan is None or snapshot.plan.holds(size, samples=samples)
        is_short = samples <= samples_max and seconds <= min(full, snapshot.step_seconds_max)
        if count and not (is_held and is_short):
            return count
    return most


def _group(row: RunningRow) -> object:
    """Say with whom a row can share a forward pass."""
    if row.is_solo:
        return row.key
    return (row.size, row.stack) if row.is_merged_only else row.size
