# SPDX-License-Identifier: Apache-2.0
"""What the queue says of the future: when a job would end, and when there is room for another.

In: the jobs in flight, what the engine's calls take, and how fast images have begun lately. Out:
seconds. Any thread.
"""

import functools
import math
import threading
from collections.abc import Callable

from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.work import Work
from tabard_server.errors import OutOfTime
from tabard_server.jobs.job import Job
from tabard_server.jobs.run import JobRun
from tabard_server.limits import Tenants
from tabard_server.scheduler.estimate import Backlog, rows_leave_in, wait_before

_MEMORY = 0.97
"""What is left of the past with each image that begins: some thirty of them count."""
_MARGIN = 1.2
"""How much later somebody is told to come than seats are thought to be free: whoever comes back as
told shall find one, and the seats that are free meanwhile are for newcomers."""
_PACE_RANGE = (0.5, 20.0)


class Forecast:
    """Knows the jobs in flight."""

    def __init__(
        self,
        *,
        work: Callable[[], Work],
        rows_per_step: int,
        tenants: Tenants,
        retry_seconds_min: float,
        clock: Callable[[], float],
    ) -> None:
        """Take what says what calls take, and how many images share a step.

        `retry_seconds_min` is the least that anybody is told to wait.
        """
        self._work = work
        self._rows_per_step = rows_per_step
        self._weights = tenants.weights
        self._least = retry_seconds_min
        self._clock = clock
        self._runs: dict[int, JobRun] = {}
        # Of those that have images which have not begun, how many: asked whenever one begins.
        self._waiting: dict[int, int] = {}
        self._lock = threading.Lock()
        self._last_begun_at: float | None = None
        self._took = self._expected = 0.0

    def add(self, run: JobRun) -> None:
        """Count a job in."""
        with self._lock:
            self._runs[run.job.ticket] = run
            self._waiting[run.job.ticket] = len(run.job.seeds)

    def remove(self, run: JobRun) -> None:
        """Count a job out. Idempotent."""
        with self._lock:
            self._runs.pop(run.job.ticket, None)
            self._waiting.pop(run.job.ticket, None)
            if not self._runs:
                # Nothing is learned of the time in which there was nothing to do.
                self._last_begun_at = None

    def rows_before(self, job_id: str) -> int:
        """Say how many images that have not begun were admitted before a job; 0: it has begun."""
        with self._lock:
            runs = list(self._runs.values())
        mine = next((run for run in runs if run.job.id == job_id), None)
        if mine is None or mine.has_begun:
            return 0
        return sum(run.seats.rows for run in runs if run.job.ticket < mine.job.ticket)

    @property
    def work_seconds(self) -> float:
        """Seconds of the engine for all that is admitted and not finished, at its pace of late."""
        return self._pace * sum(job.seconds for job in self._queue())

    def note_begun(self, run: JobRun) -> None:
        """Note that an image begins: while others wait, that is how fast the queue moves."""
        now = self._clock()
        with self._lock:
            if self._last_begun_at is not None:
                self._took = _MEMORY * self._took + now - self._last_begun_at
                drawing = run.job.drawing
                self._expected = _MEMORY * self._expected + self._row_seconds(
                    drawing.size, drawing.samples, drawing.steps, work=self._work()
                )
            left = self._waiting.pop(run.job.ticket, 1) - 1
            if left > 0:
                self._waiting[run.job.ticket] = left
            self._last_begun_at = now if self._waiting else None

    def retry_after(self, rows: int, *, tenant: str | None) -> float:
        """Return when so many of the images that wait will have begun.

        Args:
            rows: How many.
            tenant: Whose; None: anybody's.
        """
        found = rows_leave_in(rows, tenant=tenant, queue=self._queue(), weights=self._weights)
        return max(self._least, _MARGIN * found * self._pace)

    def require_time(self, job: Job) -> None:
        """Refuse a job that would end after its deadline.

        Raises:
            OutOfTime: It cannot be done in time as things are; it says when that may be different.
        """
        if job.deadline_at is None:
            return
        left = job.deadline_at - self._clock()
        waits, draws = self._estimate(job)
        if waits + draws <= left:
            return
        is_hopeless = draws > left
        raise OutOfTime(
            f"the job would begin in about {waits:.1f} s and take {draws:.1f} s, and its deadline "
            f"is in {max(left, 0.0):.1f} s",
            reason="DEADLINE_UNREACHABLE",
            hint="allow more time, or ask for fewer steps or images"
            + ("" if is_hopeless else "; or ask again later"),
            retry_seconds=None if is_hopeless else max(self._least, waits + draws - left),
        )

    def _estimate(self, job: Job) -> tuple[float, float]:
        """Return how long a job would wait, and how long it would be drawn."""
        drawing, images, work = job.drawing, len(job.seeds), self._work()
        together = min(images, self._rows_per_step)
        step = work.step.seconds(drawing.size, samples=together * drawing.samples)
        passes = math.ceil(images / self._rows_per_step) * drawing.steps
        draws = passes * step + work.decoding.seconds(drawing.size)
        waits = wait_before(job.claim, queue=self._queue(), weights=self._weights)
        return waits * self._pace, draws

    @property
    def _pace(self) -> float:
        """How long things take, as a share of what they were thought to."""
        least, most = _PACE_RANGE
        return min(most, max(least, self._took / self._expected)) if self._expected else 1.0

    def _queue(self) -> list[Backlog]:
        with self._lock:
            runs = list(self._runs.values())
        # Most jobs of a full queue are of a few sizes: this is asked at every refusal.
        row_seconds = functools.cache(functools.partial(self._row_seconds, work=self._work()))
        return [self._backlog(run, row_seconds) for run in runs if not run.is_ended]

    def _backlog(self, run: JobRun, row_seconds_of: Callable[[Size, int, int], float]) -> Backlog:
        drawing, waiting = run.job.drawing, run.seats.rows
        row_seconds = row_seconds_of(drawing.size, drawing.samples, drawing.steps)
        running = max(0, run.images_left - waiting)
        done = run.steps_done / max(1, drawing.steps) * row_seconds
        begun = len(run.job.seeds) - waiting
        return Backlog(
            claim=run.job.claim,
            rows_waiting=waiting,
            row_seconds=row_seconds,
            rows_running=running,
            running_seconds=max(0.0, begun * row_seconds - done) if running else 0.0,
        )

    def _row_seconds(self, size: Size, samples: int, steps: int, *, work: Work) -> float:
        """Return what one image takes of the engine, beside as many others as share a step."""
        rows = self._rows_per_step
        step = work.step.seconds(size, samples=rows * samples) / rows
        return steps * step + work.decoding.seconds(size)
