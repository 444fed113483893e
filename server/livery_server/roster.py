# SPDX-License-Identifier: Apache-2.0
"""Who waits and who runs, as the engine's thread knows it; makes the policy's snapshots.

In: runs, and the rows the engine opened for them. Out: snapshots and row specs. One thread. Knows
nothing of how rows are stepped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic

from livery_server.engine.row import RowSpec
from livery_server.engine_port import R
from livery_server.limits import Limits
from livery_server.run import JobRun
from livery_server.scheduler.snapshot import RowKey, RunningRow, Snapshot, WaitingRow


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


class Roster(Generic[R]):
    """The runs the engine's thread has, their waiting rows and their open ones."""

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits
        self._runs: dict[int, JobRun] = {}
        self._waiting: dict[RowKey, int] = {}
        self._begun: dict[RowKey, Begun[R]] = {}
        self._turn = 0

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

    def run(self, key: RowKey) -> JobRun:
        """Return the run a row belongs to."""
        return self._runs[key[0]]

    def begun(self, key: RowKey) -> Begun[R] | None:
        """Return an open row, or None when it is not open (any more)."""
        return self._begun.get(key)

    def add(self, run: JobRun) -> None:
        """Let all rows of a run wait."""
        self._runs[run.job.ticket] = run
        for index in range(len(run.job.seeds)):
            self._waiting[(run.job.ticket, index)] = 0

    def remove(self, run: JobRun) -> list[Begun[R]]:
        """Forget a run and its waiting rows; return its open rows, for the caller to close."""
        ticket = run.job.ticket
        self._runs.pop(ticket, None)
        for key in [key for key in self._waiting if key[0] == ticket]:
            del self._waiting[key]
        return [begun for key, begun in self._begun.items() if key[0] == ticket]

    def spec(self, key: RowKey) -> RowSpec:
        """Return what the engine must know of one row."""
        run, index = self._runs[key[0]], key[1]
        job = run.job
        return RowSpec(
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            stack=run.stack,
            seed=job.seeds[index],
            steps=job.steps,
            guidance_scale=job.guidance_scale,
            width=job.width,
            height=job.height,
            sampler=job.sampler,
        )

    def open(self, key: RowKey, row: R) -> None:
        """Note that a waiting row is open now."""
        del self._waiting[key]
        run = self._runs[key[0]]
        run.seats.rise()
        self._begun[key] = Begun(key=key, run=run, row=row, stepped_at=self._turn)

    def close(self, begun: Begun[R]) -> None:
        """Note that a row is closed; forget its run with its last row."""
        self._begun.pop(begun.key, None)
        ticket = begun.key[0]
        if not any(key[0] == ticket for key in (*self._waiting, *self._begun)):
            self._runs.pop(ticket, None)

    def note_stepped(self, begun: Begun[R]) -> None:
        """Note that a row took a step in this turn."""
        begun.stepped_at = self._turn

    def note_overtaken(self, times: Iterable[tuple[RowKey, int]]) -> None:
        """Note how often rows without room were passed by."""
        self._waiting.update(times)

    def snapshot(self, *, can_open: Callable[[RowSpec], bool]) -> Snapshot:
        """Begin a turn and return what the policy may look at.

        When nothing runs, the first row counts as fitting: either it fits, or the engine says why
        it never will.
        """
        self._turn += 1
        limits = self._limits
        places = limits.running_rows_max - len(self._begun)
        return Snapshot(
            turn=self._turn,
            waiting=tuple(self._waiting_rows(can_open)) if places > 0 else (),
            running=tuple(
                RunningRow(
                    key=begun.key,
                    size=(begun.run.job.width, begun.run.job.height),
                    is_solo=begun.run.job.is_deterministic,
                    stepped_at=begun.stepped_at,
                )
                for begun in self._begun.values()
            ),
            rows_per_step_max=limits.rows_per_step_max,
            running_rows_max=limits.running_rows_max,
            overtakes_max=limits.overtakes_max,
        )

    def _waiting_rows(self, can_open: Callable[[RowSpec], bool]) -> list[WaitingRow]:
        fits: dict[int, bool] = {}
        rows: list[WaitingRow] = []
        for key in sorted(self._waiting):
            job = self._runs[key[0]].job
            if key[0] not in fits:
                is_alone = not rows and not self._begun
                fits[key[0]] = is_alone or can_open(self.spec(key))
            rows.append(
                WaitingRow(
                    key=key,
                    size=(job.width, job.height),
                    is_solo=job.is_deterministic,
                    fits=fits[key[0]],
                    overtaken=self._waiting[key],
                )
            )
        return rows
