# SPDX-License-Identifier: Apache-2.0
"""Who waits and who runs, as the engine's thread knows it; makes the policy's snapshots.

In: runs, and the rows the engine opened for them. Out: snapshots and row specs. One thread. Knows
nothing of how rows are stepped.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.memory import ROWS_PER_STEP, MemoryPlan
from tabard_server.engine_port.port import EnginePort, R
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import StackKey
from tabard_server.jobs.job import Job
from tabard_server.jobs.run import JobRun
from tabard_server.limits import Limits, Tenants
from tabard_server.scheduler.claims import Claim
from tabard_server.scheduler.fair_queue import FairQueue
from tabard_server.scheduler.shares import Shares
from tabard_server.scheduler.snapshot import RowKey, RunningRow, Snapshot, Waiting, WaitingRow

_UNMERGEABLE_MAX = 64
_SIZES_MAX = 256


@dataclass(slots=True, kw_only=True, eq=False)
class Begun(Generic[R]):
    """A row the engine has open.

    Attributes:
        key: Who it is.
        run: Its job.
        row: The engine's own.
        stepped_at: Number of the turn of its last step, or of its opening.
    """

    key: RowKey
    run: JobRun
    row: R
    stepped_at: int

    @property
    def index(self) -> int:
        """Which image of its job."""
        return self.key[1]


@dataclass(slots=True, kw_only=True, eq=False)
class _Waits:
    """A row the engine does not have open.

    Attributes:
        key: Who it is.
        claim: What it is to the others.
        size: Its pixels.
        overtaken: Younger images that began while it waited for room.
        was_evicted: It was open before.
    """

    key: RowKey
    claim: Claim
    size: Size
    overtaken: int = 0
    was_evicted: bool = False

    @property
    def kind(self) -> Size:
        return self.size


@dataclass(slots=True, kw_only=True, eq=False)
class _Entered(Generic[R]):
    """A run with a row that waits or runs."""

    run: JobRun
    stack: StackKey
    is_merged_only: bool
    is_steady: bool
    waiting: dict[int, _Waits] = field(default_factory=dict)
    begun: dict[int, Begun[R]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return not self.waiting and not self.begun


class Roster(Generic[R]):
    """The runs the engine's thread has, their waiting rows and their open ones."""

    def __init__(self, *, limits: Limits, tenants: Tenants | None = None) -> None:
        self._limits = limits
        self._weights = (tenants or Tenants()).weights
        self._runs: dict[int, _Entered[R]] = {}
        self._waiting: FairQueue[_Waits] = FairQueue()
        self._begun: dict[RowKey, Begun[R]] = {}
        # Of rows that wait: how many wear each stack, and the steps they ask for together.
        self._stacks_waiting: Counter[StackKey] = Counter()
        self._steps_waiting = 0
        # Deadlines, the next one first. One of a run that has gone stays until its time.
        self._deadlines: list[tuple[float, int]] = []
        self._turn = 0
        self._merged_stack: StackKey = ()
        self._merged_turns = 0
        self._unmergeable: deque[StackKey] = deque(maxlen=_UNMERGEABLE_MAX)
        self._rows_fit: dict[Size, int] = {}
        self._sizes_had: Shares[Size] = Shares()
        self._tenants_had: Shares[str] = Shares()
        self._tenants_began: Shares[str] = Shares()

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to do."""
        return not self._waiting and not self._begun

    @property
    def running_count(self) -> int:
        """Open rows."""
        return len(self._begun)

    def runs(self) -> list[JobRun]:
        """Return all runs with a row that waits or runs."""
        return [entered.run for entered in self._runs.values()]

    def late(self) -> Iterator[JobRun]:
        """Yield runs whose deadline has passed, each once."""
        while self._deadlines:
            entered = self._runs.get(self._deadlines[0][1])
            if entered is not None and not entered.run.is_late:
                return
            heapq.heappop(self._deadlines)
            if entered is not None:
                yield entered.run

    def has(self, run: JobRun) -> bool:
        """Say whether a row of a run waits or runs."""
        return run.job.ticket in self._runs

    def run(self, key: RowKey) -> JobRun:
        """Return the run a row belongs to."""
        return self._runs[key[0]].run

    def begun(self, key: RowKey) -> Begun[R] | None:
        """Return an open row, or None when it is not open (any more)."""
        return self._begun.get(key)

    def background_under(self, keys: Iterable[RowKey]) -> list[RowKey]:
        """Return the open background rows, if any of these rows is above them."""
        if all(self.run(key).job.claim.is_background for key in keys):
            return []
        return [key for key, one in self._begun.items() if one.run.job.claim.is_background]

    def add(self, run: JobRun) -> None:
        """Let all rows of a run wait."""
        job = run.job
        spec = _spec_of(run, index=0)
        entered: _Entered[R] = _Entered(
            run=run,
            stack=spec.stack_key,
            is_merged_only=spec.is_merged_only,
            is_steady=spec.is_steady,
        )
        self._runs[job.ticket] = entered
        claim, size = job.claim, job.drawing.size
        for index in range(len(job.seeds)):
            self._await(_Waits(key=(job.ticket, index), claim=claim, size=size), entered)
        if job.deadline_at is not None:
            heapq.heappush(self._deadlines, (job.deadline_at, job.ticket))

    def remove(self, run: JobRun) -> list[Begun[R]]:
        """Forget a run and its waiting rows; return its open rows, for the caller to close."""
        entered = self._runs.pop(run.job.ticket, None)
        if entered is None:
            return []
        for waits in list(entered.waiting.values()):
            self._await_no_longer(waits, entered)
        return list(entered.begun.values())

    def spec(self, key: RowKey) -> RowSpec:
        """Return what the engine must know of one row."""
        return _spec_of(self.run(key), index=key[1])

    def open(self, key: RowKey, row: R) -> None:
        """Note that a waiting row is open now."""
        entered = self._runs[key[0]]
        run, waits = entered.run, entered.waiting[key[1]]
        self._await_no_longer(waits, entered)
        run.times.note("opened", index=key[1])
        # Who was evicted gave its seat back when it was opened before.
        if not waits.was_evicted:
            run.leave_seat()
        claim = waits.claim
        if not claim.is_background:
            amount = claim.work / self._weights.of(claim.tenant)
            self._tenants_began.note(claim.tenant, amount=amount)
        begun = Begun(key=key, run=run, row=row, stepped_at=self._turn)
        self._begun[key] = entered.begun[key[1]] = begun

    def close(self, begun: Begun[R]) -> None:
        """Note that a row is closed; forget its run with its last row."""
        self._begun.pop(begun.key, None)
        if entered := self._runs.get(begun.key[0]):
            entered.begun.pop(begun.index, None)
            if entered.is_over:
                del self._runs[begun.key[0]]

    def evict(self, begun: Begun[R]) -> None:
        """Note that a row is closed before its end: it waits, and begins anew later."""
        del self._begun[begun.key]
        entered, job = self._runs[begun.key[0]], begun.run.job
        del entered.begun[begun.index]
        waits = _Waits(key=begun.key, claim=job.claim, size=job.drawing.size, was_evicted=True)
        self._await(waits, entered)

    def note_stepped(self, begun: Begun[R]) -> None:
        """Note that a row took a step in this turn."""
        begun.stepped_at = self._turn

    def note_overtaken(self, times: Iterable[tuple[RowKey, int]]) -> None:
        """Note how often rows without room were passed by."""
        for (ticket, index), count in times:
            self._runs[ticket].waiting[index].overtaken = count

    def note_mode(self, *, is_merged: bool, merged_stack: StackKey) -> None:
        """Note on what a batch stepped, and what the merged copy wears since then."""
        if merged_stack != self._merged_stack:
            self._merged_stack, self._merged_turns = merged_stack, 0
        self._merged_turns += is_merged

    def note_served(self, batch: Sequence[Begun[R]], *, seconds: float) -> None:
        """Note what a step took of the engine's time: of its size, and of its tenants by samples.

        That of background counts for nobody: it was nobody else's.
        """
        samples: Counter[str] = Counter()
        for one in batch:
            if not one.run.job.claim.is_background:
                samples[one.run.job.tenant] += one.run.job.drawing.samples
        if not samples:
            return
        self._sizes_had.note(batch[0].run.job.drawing.size, amount=seconds)
        each = seconds / sum(one.run.job.drawing.samples for one in batch)
        self._tenants_had.note_together(
            {tenant: each * count / self._weights.of(tenant) for tenant, count in samples.items()}
        )

    def note_unmergeable(self, begun: Begun[R]) -> bool:
        """Note that a row's stack could not be merged; say whether it can do without."""
        entered = self._runs[begun.key[0]]
        self._unmergeable.append(entered.stack)
        return not entered.is_merged_only

    def note_fit(self, begun: Begun[R], *, rows: int) -> None:
        """Note how many rows of this one's size the device could not hold: fewer come next.

        A row in parts counts as many.
        """
        if len(self._rows_fit) >= _SIZES_MAX:
            self._rows_fit.clear()
        self._rows_fit[begun.run.job.drawing.size] = max(1, rows // 2)

    def snapshot(self, engine: EnginePort[R]) -> Snapshot:
        """Begin a turn and return what the policy may look at.

        When nothing runs, the first row counts as fitting, and background after all others: either
        it fits, or the engine says why it never will.
        """
        self._turn += 1
        limits, costs = self._limits, engine.costs()
        # Background takes no place from those who wait.
        begun = [one for one in self._begun.values() if not one.run.job.claim.is_background]
        places = limits.running_rows_max - len(begun)
        return Snapshot(
            turn=self._turn,
            waiting=self._who_waits(engine.can_open, costs) if places > 0 else Waiting(),
            running=tuple(map(self._running_row, self._begun.values())),
            rows_per_step_max=self._rows_per_step_max(engine.plan),
            running_rows_max=limits.running_rows_max,
            overtakes_max=limits.overtakes_max,
            opening_seconds_max=self._opening_seconds_max(costs),
            step_seconds_max=costs.work.bound(limits.step_seconds_max),
            ahead=self._sizes_had.ahead(),
            weights=self._weights,
            tenants_ahead=self._tenants_had.ahead(),
            tenants_begun=self._tenants_began.ahead(),
            plan=engine.plan,
            rows_fit=dict(self._rows_fit),
            can_merge=engine.can_merge,
            unmergeable=frozenset(self._unmergeable),
            merged_stack=engine.merged_stack,
            merged_turns=self._merged_turns,
            costs=costs,
        )

    def _rows_per_step_max(self, plan: MemoryPlan | None) -> int:
        planned = ROWS_PER_STEP if plan is None else plan.rows_per_step
        return self._limits.rows_per_step_max or planned

    def _opening_seconds_max(self, costs: Costs) -> float:
        """Open no more in one turn than takes as long as a step, so that running rows go on."""
        if self._begun and costs.step:
            return costs.step
        return costs.work.bound(self._limits.step_seconds_max)

    def _running_row(self, begun: Begun[R]) -> RunningRow:
        job, wear = begun.run.job, self._runs[begun.key[0]]
        return RunningRow(
            key=begun.key,
            size=job.drawing.size,
            is_solo=job.is_deterministic,
            stack=wear.stack,
            is_merged_only=wear.is_merged_only,
            is_steady=wear.is_steady,
            stepped_at=begun.stepped_at,
            steps_left=begun.row.steps_total - begun.row.steps_done,
            samples=job.drawing.samples,
            claim=job.claim,
        )

    def _who_waits(self, can_open: Callable[[RowSpec], bool], costs: Costs) -> Waiting:
        fits: dict[int, bool] = {}

        def see(waits: _Waits) -> WaitingRow:
            ticket, index = waits.key
            entered = self._runs[ticket]
            job = entered.run.job
            is_first = ticket not in fits
            if is_first:
                is_alone = not fits and not self._begun
                fits[ticket] = is_alone or can_open(_spec_of(entered.run, index=index))
            return WaitingRow(
                key=waits.key,
                size=waits.size,
                is_solo=job.is_deterministic,
                stack=entered.stack,
                is_merged_only=entered.is_merged_only,
                is_steady=entered.is_steady,
                steps=job.drawing.steps,
                samples=job.drawing.samples,
                opening_seconds=_opening_seconds(job, is_first=is_first, costs=costs),
                fits=fits[ticket],
                overtaken=waits.overtaken,
                claim=waits.claim,
            )

        return Waiting(
            queue=self._waiting,
            see=see,
            stacks=self._stacks_waiting.keys(),
            steps=self._steps_waiting,
        )

    def _await(self, waits: _Waits, entered: _Entered[R]) -> None:
        entered.waiting[waits.key[1]] = waits
        self._waiting.add(waits)
        self._stacks_waiting[entered.stack] += 1
        self._steps_waiting += entered.run.job.drawing.steps

    def _await_no_longer(self, waits: _Waits, entered: _Entered[R]) -> None:
        del entered.waiting[waits.key[1]]
        self._waiting.remove(waits)
        self._stacks_waiting[entered.stack] -= 1
        if not self._stacks_waiting[entered.stack]:
            del self._stacks_waiting[entered.stack]
        self._steps_waiting -= entered.run.job.drawing.steps


def _spec_of(run: JobRun, *, index: int) -> RowSpec:
    return RowSpec(
        drawing=run.job.drawing,
        stack=run.stack,
        seed=run.job.seeds[index],
        is_deterministic=run.job.is_deterministic,
    )


def _opening_seconds(job: Job, *, is_first: bool, costs: Costs) -> float:
    """Return what it takes to begin an image; images of one job share their words."""
    drawing, has_picture = job.drawing, job.drawing.picture is not None
    windows = drawing.samples * job.prompt_windows if is_first else 0
    known = costs.work.opening_seconds(drawing.size, windows=windows, has_picture=has_picture)
    return max(known, costs.opening) if is_first else known
