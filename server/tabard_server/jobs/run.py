# SPDX-License-Identifier: Apache-2.0
"""An admitted job on its way through the rooms: what it holds, and its one end.

Whoever finishes or fails it may do so from any thread; only the first end counts, and its caller is
told at that moment. Its seats go back then; its lease goes back when the engine's thread has let
go of its rows. Knows nothing of engines.
"""

import threading
import time
from collections.abc import Callable

from tabard_server.adapters.host_memory import Lease
from tabard_server.engine_port.stack import Stack
from tabard_server.errors import OutOfTime, ServerError
from tabard_server.jobs.job import Done, Event, Failed, ImageReady, Job, Progress
from tabard_server.jobs.lacking import error_of
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.times import Times
from tabard_server.jobs.waiting_room import Seats


class JobRun:
    """One job in flight.

    Attributes:
        job: What was admitted; never changes.
        outbox: Where its events go.
        seats: Its places in the waiting room.
        stack: Its adapters in host memory with their weights, once they are leased.
        times: When what happened to it.
        error: What it ended with; None: it has not ended, or well.
        steps_done: Of all its images.
    """

    def __init__(
        self,
        job: Job,
        *,
        outbox: Outbox,
        seats: Seats,
        on_end: Callable[["JobRun", Exception | None], None],
        on_row_begun: Callable[["JobRun"], None] = lambda _run: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what the job holds.

        `on_end` is called once, from the thread that ends it; `on_row_begun` for each image that
        begins, from the engine's.
        """
        self.job = job
        self.outbox = outbox
        self.seats = seats
        self.stack: Stack = ()
        self.times = Times(clock)
        self.error: Exception | None = None
        self._lease: Lease | None = None
        self._on_end = on_end
        self._on_row_begun = on_row_begun
        self._clock = clock
        self._images_left = len(job.seeds)
        self._lacking: dict[int, ServerError] = {}
        self.steps_done = 0
        self._begun_at: float | None = None
        self._is_ended = False
        self._watcher: Callable[[JobRun], None] | None = None
        self._lock = threading.Lock()

    @property
    def is_ended(self) -> bool:
        """Say whether the job is over; nothing more is sent."""
        return self._is_ended

    @property
    def images_left(self) -> int:
        """Images that nothing came of yet."""
        return self._images_left

    @property
    def is_late(self) -> bool:
        """Say whether its deadline has passed."""
        return self.job.deadline_at is not None and self._clock() >= self.job.deadline_at

    @property
    def queue_seconds(self) -> float:
        """Admission to the first step; 0 before it."""
        return 0.0 if self._begun_at is None else self._begun_at - self.job.admitted_at

    @property
    def total_seconds(self) -> float:
        """Admission to now."""
        return self._clock() - self.job.admitted_at

    @property
    def rows_running(self) -> int:
        """Images begun and not sent."""
        return max(0, self._images_left - self.seats.rows)

    @property
    def has_begun(self) -> bool:
        """Say whether a denoise step was begun for it."""
        return self._begun_at is not None

    def hold(self, lease: Lease) -> None:
        """Take the lease of the stack; kept until `let_go`."""
        weights = [worn.strength for worn in self.job.worn]
        self.stack = tuple(zip(lease.adapters, weights, strict=True))
        with self._lock:
            self._lease = lease
        self.times.lease()

    def watch(self, watcher: Callable[["JobRun"], None]) -> None:
        """Have the one that has its rows told of its end, from the thread that ends it."""
        with self._lock:
            self._watcher = watcher
            is_ended = self._is_ended
        if is_ended:
            watcher(self)

    def let_go(self) -> None:
        """Give the lease back: nobody has a row of it any more. Idempotent."""
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def leave_seat(self) -> None:
        """Give one seat back: an image begins."""
        self.seats.leave_one()
        if lease := self._lease:
            lease.begin_row()
        self._on_row_begun(self)

    def begin(self) -> None:
        """Note the first denoise step. Idempotent."""
        if self._begun_at is None:
            self._begun_at = self._clock()

    def send(self, event: Event) -> None:
        """Tell the caller of something that does not end the job."""
        self.steps_done += isinstance(event, Progress)
        self.outbox.put(event)

    def deliver(self, image: ImageReady) -> None:
        """Send a finished image; the last one ends the job, well if none is lacking."""
        self.outbox.put(image)
        self._count_image()

    def forgo(self, index: int, error: ServerError) -> None:
        """Send one image to nobody, and the others all the same; the job ends with the error."""
        with self._lock:
            self._lacking[index] = error
        self._count_image()

    def fail(self, error: Exception) -> None:
        """End the job without its remaining images. Idempotent; the first end counts."""
        self._end(error)

    def expire(self) -> None:
        """End the job because its deadline passed. Idempotent; the first end counts."""
        self.fail(
            OutOfTime(
                "the deadline of the call passed before the job was done",
                hint="allow more time, or ask for fewer steps or images",
            )
        )

    def _count_image(self) -> None:
        with self._lock:
            self._images_left -= 1
            is_last = self._images_left == 0
        if is_last:
            self._end(error_of(self._lacking, seeds=self.job.seeds) if self._lacking else None)

    def _end(self, error: Exception | None) -> None:
        with self._lock:
            if self._is_ended:
                return
            self._is_ended = True
            self.error = error
            watcher = self._watcher
        if watcher is not None:
            watcher(self)
        self.times.end()
        self.seats.leave()
        self._on_end(self, error)
        if error is None:
            self.outbox.put(
                Done(queue_seconds=self.queue_seconds, total_seconds=self.total_seconds)
            )
        else:
            self.outbox.put(Failed(error=error))
