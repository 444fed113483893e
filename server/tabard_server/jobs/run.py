# SPDX-License-Identifier: Apache-2.0
"""An admitted job on its way through the rooms: what it holds, and its one end.

Whoever finishes, fails or stops it may do so from any thread; only the first end counts. What it
holds - seats, leases - is given back at that moment. Knows nothing of engines.
"""

import threading
import time
from collections.abc import Callable, Sequence

from tabard_server.adapters.host_cache import Lease
from tabard_server.engine_port.stack import Stack
from tabard_server.errors import OutOfTime
from tabard_server.jobs.job import Done, Event, Failed, ImageReady, Job
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.waiting_room import Seats


class JobRun:
    """One job in flight.

    Attributes:
        job: What was admitted; never changes.
        outbox: Where its events go.
        seats: Its places in the waiting room.
        stack: Its adapters in host memory with their weights, once they are loaded.
        is_joined: The engine's thread has it, so only that thread may end it early.
        asked_to_stop: Why somebody wants it to end before its time; None: nobody does.
    """

    def __init__(
        self,
        job: Job,
        *,
        outbox: Outbox,
        seats: Seats,
        on_end: Callable[["JobRun", Exception | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what the job holds; `on_end` is called once, from the thread that ends it."""
        self.job = job
        self.outbox = outbox
        self.seats = seats
        self.stack: Stack = ()
        self.is_joined = False
        self.asked_to_stop: Exception | None = None
        self._leases: tuple[Lease, ...] = ()
        self._on_end = on_end
        self._clock = clock
        self._images_left = len(job.seeds)
        self._begun_at: float | None = None
        self._is_ended = False
        self._lock = threading.Lock()

    @property
    def is_ended(self) -> bool:
        """Say whether the job is over; nothing more is sent."""
        return self._is_ended

    @property
    def queue_seconds(self) -> float:
        """Admission to the first step; 0 before it."""
        return 0.0 if self._begun_at is None else self._begun_at - self.job.admitted_at

    @property
    def total_seconds(self) -> float:
        """Admission to now."""
        return self._clock() - self.job.admitted_at

    @property
    def stop_error(self) -> Exception | None:
        """Why the job must stop at the next step boundary; None: it may go on."""
        deadline = self.job.deadline_at
        if self.asked_to_stop is None and deadline is not None and self._clock() >= deadline:
            return OutOfTime(
                "the deadline of the call passed before the job was done",
                hint="allow more time, or ask for fewer steps or images",
            )
        return self.asked_to_stop

    def hold(self, leases: Sequence[Lease]) -> None:
        """Take the leases of the stack, in its order; kept until the job ends."""
        weights = [worn.weight for worn in self.job.worn]
        with self._lock:
            self._leases = tuple(leases)
            is_late = self._is_ended
        self.stack = tuple(
            (lease.adapter, weight) for lease, weight in zip(leases, weights, strict=True)
        )
        if is_late:
            self._give_back()

    def ask_to_stop(self, error: Exception) -> None:
        """Make the engine's thread stop the job at the next step boundary."""
        self.asked_to_stop = self.asked_to_stop or error

    def begin(self) -> None:
        """Note the first denoise step. Idempotent."""
        if self._begun_at is None:
            self._begun_at = self._clock()

    def send(self, event: Event) -> None:
        """Tell the caller of something that does not end the job."""
        self.outbox.put(event)

    def deliver(self, image: ImageReady) -> None:
        """Send a finished image; the last one ends the job well."""
        self.outbox.put(image)
        with self._lock:
            self._images_left -= 1
            is_last = self._images_left == 0
        if is_last:
            self._end(None)

    def fail(self, error: Exception) -> None:
        """End the job without its remaining images. Idempotent; the first end counts."""
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        with self._lock:
            if self._is_ended:
                return
            self._is_ended = True
        self._give_back()
        self._on_end(self, error)
        if error is None:
            self.outbox.put(
                Done(queue_seconds=self.queue_seconds, total_seconds=self.total_seconds)
            )
        else:
            self.outbox.put(Failed(error=error))

    def _give_back(self) -> None:
        self.seats.leave()
        leases, self._leases = self._leases, ()
        for lease in leases:
            lease.release()
