# SPDX-License-Identifier: Apache-2.0
"""Who waits and who runs, as the engine's thread knows it; makes the policy's snapshots.

In: runs, and the rows the engine opened for them. Out: snapshots and row specs. One thread. Knows
nothing of how rows are stepped.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
from tabard_server.scheduler.shares import Shares
from tabard_server.scheduler.snapshot import RowKey, RunningRow, Snapshot, WaitingRow

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wear:
    stack: StackKey
    is_merged_only: bool
    is_steady: bool


class Roster(Generic[R]):
    """The runs the engine's thread has, their waiting rows and their open ones."""

    def __init__(self, *, limits: Limits, tenants: Tenants | None = None) -> None:
        self._limits = limits
        self._weights = (tenants or Tenants()).weights
        self._runs: dict[int, JobRun] = {}
        self._waiting: dict[RowKey, int] = {}
        self._begun: dict[RowKey, Begun[R]] = {}
        self._evicted: set[RowKey] = set()
        self._wears: dict[int, _Wear] = {}
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
        return list(self._runs.values())

    def has(self, run: JobRun) -> bool:
        """Say whether a row of a run waits or runs."""
        return run.job.ticket in self._runs

    def run(self, key: RowKey) -> JobRun:
        """Return the run a row belongs to."""
        return self._runs[key[0]]

    def begun(self, key: RowKey) -> Begun[R] | None:
        """Return an open row, or None when it is not open (any more)."""
        return self._begun.get(key)

    def background_under(self, keys: Iterable[RowKey]) -> list[RowKey]:
        """Return the open background rows, if any of these rows is above them."""
        if all(self._runs[key[0]].job.claim.is_background for key in keys):
            return []
        return [key for key, one in self._begun.items() if one.run.job.claim.is_background]

    def add(self, run: JobRun) -> None:
        """Let all rows of a run wait."""
        self._runs[run.job.ticket] = run
        spec = self.spec((run.job.ticket, 0))
        self._wears[run.job.ticket] = _Wear(
            stack=spec.stack_key,
            is_merged_only=spec.is_merged_only,
            is_steady=spec.is_steady,
        )
        for index in range(len(run.job.seeds)):
            self._waiting[(run.job.ticket, index)] = 0

    def remove(self, run: JobRun) -> list[Begun[R]]:
        """Forget a run and its waiting rows; return its open rows, for the caller to close."""
        ticket = run.job.ticket
        self._forget(ticket)
        for key in [key for key in self._waiting if key[0] == ticket]:
            del self._waiting[key]
            self._evicted.discard(key)
        return [begun for key, begun in self._begun.items() if key[0] == ticket]

    def spec(self, key: RowKey) -> RowSpec:
        """Return what the engine must know of one row."""
        run, index = self._runs[key[0]], key[1]
        return RowSpec(drawing=run.job.drawing, stack=run.stack, seed=run.job.seeds[index])

    def open(self, key: RowKey, row: R) -> None:
        """Note that a waiting row is open now."""
        del self._waiting[key]
        run = self._runs[key[0]]
        run.times.note("opened", index=key[1])
        # Who was evicted gave its seat back when it was opened before.
        if key not in self._evicted:
            run.leave_seat()
        self._evicted.discard(key)
        claim = run.job.claim
        if not claim.is_background:
            amount = claim.work / self._weights.of(claim.tenant)
            self._tenants_began.note(claim.tenant, amount=amount)
        self._begun[key] = Begun(key=key, run=run, row=row, stepped_at=self._turn)

    def close(self, begun: Begun[R]) -> None:
        """Note that a row is closed; forget its run with its last row."""
        self._begun.pop(begun.key, None)
        ticket = begun.key[0]
        if not any(key[0] == ticket for key in (*self._waiting, *self._begun)):
            self._forget(ticket)

    def evict(self, begun: Begun[R]) -> None:
        """Note that a row is closed before its end: it waits, and begins anew later."""
        del self._begun[begun.key]
        self._waiting[begun.key] = 0
        self._evicted.add(begun.key)

    def note_stepped(self, begun: Begun[R]) -> None:
        """Note that a row took a step in this turn."""
        begun.stepped_at = self._turn

    def note_overtaken(self, times: Iterable[tuple[RowKey, int]]) -> None:
        """Note how often rows without room were passed by."""
        self._waiting.update(times)

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
        wear = self._wears[begun.key[0]]
        self._unmergeable.append(wear.stack)
        return not wear.is_merged_only

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
            waiting=tuple(self._waiting_rows(engine.can_open, costs)) if places > 0 else (),
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
        job, wear = begun.run.job, self._wears[begun.key[0]]
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

    def _waiting_rows(self, can_open: Callable[[RowSpec], bool], costs: Costs) -> list[WaitingRow]:
        fits: dict[int, bool] = {}
        rows: list[WaitingRow] = []
        for key in sorted(self._waiting, key=self._in_order):
            job, wear = self._runs[key[0]].job, self._wears[key[0]]
            is_first = key[0] not in fits
            if is_first:
                is_alone = not rows and not self._begun
                fits[key[0]] = is_alone or can_open(self.spec(key))
            rows.append(
                WaitingRow(
                    key=key,
                    size=job.drawing.size,
                    is_solo=job.is_deterministic,
                    stack=wear.stack,
                    is_merged_only=wear.is_merged_only,
                    is_steady=wear.is_steady,
                    steps=job.drawing.steps,
                    samples=job.drawing.samples,
                    opening_seconds=_opening_seconds(job, is_first=is_first, costs=costs),
                    fits=fits[key[0]],
                    overtaken=self._waiting[key],
                    claim=job.claim,
                )
            )
        return rows

    def _in_order(self, key: RowKey) -> tuple[bool, RowKey]:
        return self._runs[key[0]].job.claim.is_background, key

    def _forget(self, ticket: int) -> None:
        self._runs.pop(ticket, None)
        self._wears.pop(ticket, None)


def _opening_seconds(job: Job, *, is_first: bool, costs: Costs) -> float:
    """Return what it takes to begin an image; images of one job share their words."""
    drawing, has_picture = job.drawing, job.drawing.picture is not None
    windows = drawing.samples * job.prompt_windows if is_first else 0
    known = costs.work.opening_seconds(drawing.size, windows=windows, has_picture=has_picture)
    return max(known, costs.opening) if is_first else known
