# SPDX-License-Identifier: Apache-2.0
"""The walk of a request: admission, host memory, the loop, and its events back to the caller.

In: requests. Out: a stream of events for each. Runs on the asyncio thread; meets the engine's
thread at the loop's inbox and the job's outbox only. Knows nothing of protobuf.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from tabard_registry import Registry
from tabard_server.adapters.host_cache import HostCache, Lease
from tabard_server.admission.admission import Admission
from tabard_server.admission.pictures import NO_PICTURE, PictureReader, PictureReading
from tabard_server.errors import (
    Draining,
    JobCancelled,
    OutOfTime,
    Overloaded,
    ReleaseWithdrawn,
)
from tabard_server.jobs.job import Accepted, Done, Event, Failed, Job, JobSpec
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.run import JobRun
from tabard_server.jobs.waiting_room import WaitingRoom
from tabard_server.limits import Limits
from tabard_server.loop.loop import Loop
from tabard_server.telemetry.metrics import Metrics


class Generation:
    """Leads jobs from admission to their last image. One asyncio thread."""

    def __init__(
        self,
        *,
        registry: Registry,
        admission: Admission,
        pictures: PictureReader,
        room: WaitingRoom,
        cache: HostCache,
        loop: Loop[Any],
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], float],
        on_admitted: Callable[[Job], None],
    ) -> None:
        """Take the rooms along the way; `on_admitted` is told of every job and must not wait."""
        self._registry = registry
        self._admission = admission
        self._pictures = pictures
        self._room = room
        self._cache = cache
        self._loop = loop
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._on_admitted = on_admitted
        self._reader_loop = asyncio.get_running_loop()
        self._running: dict[int, JobRun] = {}
        self._loading: dict[int, asyncio.Timeout] = {}
        self._ended = asyncio.Event()
        self.is_draining = False

    @property
    def jobs_left(self) -> int:
        """Jobs admitted and not over."""
        return len(self._running)

    async def generate(self, spec: JobSpec) -> AsyncGenerator[Event, None]:
        """Admit a job and yield its events, `Accepted` first and `Done` last.

        Closing the iterator early stops the job within one step.

        Raises:
            ServerError, RegistryError, EngineError: The job was refused, or ended badly.
        """
        run = self._admit(*await self._read_picture(spec))
        # What was sent is not needed any more, and may be large.
        del spec
        try:
            yield Accepted(job=run.job, rows_ahead=run.seats.rows_ahead)
            await self._load(run)
            self._loop.join(run)
            run.is_joined = True
            while True:
                event = await run.outbox.get()
                if isinstance(event, Failed):
                    raise event.error
                yield event
                if isinstance(event, Done):
                    return
        except Exception as error:
            run.fail(error)
            raise
        finally:
            self._abandon(run)

    def drain(self) -> None:
        """Refuse new jobs from now on. Idempotent."""
        self.is_draining = True
        self._metrics.draining.set(1)

    async def wait_until_empty(self, *, seconds_max: float) -> int:
        """Wait for running jobs; return how many are left when the time is over."""
        try:
            async with asyncio.timeout(seconds_max):
                while self._running:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return self.jobs_left
        return 0

    def stop_all(self) -> None:
        """Ask every job to stop at the next step boundary."""
        stopped = Draining(
            "the server stopped before the job was done",
            reason="SERVER_STOPPED",
            hint="retry; another server, or this one restarted, takes the job",
            retry_seconds=self._limits.retry_seconds,
        )
        self.stop_where(lambda _job: True, error=stopped)

    def stop_where(self, concerns: Callable[[Job], bool], *, error: Exception) -> int:
        """Stop some jobs: those that load at once, the others at the next step boundary.

        Returns:
            How many.
        """
        stopped = [run for run in list(self._running.values()) if concerns(run.job)]
        for run in stopped:
            run.ask_to_stop(error)
            if patience := self._loading.pop(run.job.ticket, None):
                patience.reschedule(asyncio.get_running_loop().time())
        if stopped:
            self._loop.wake()
        return len(stopped)

    async def _read_picture(self, spec: JobSpec) -> tuple[JobSpec, PictureReading]:
        """Read the picture of a request, at the cost of its own time; others pass it by."""
        if spec.wanted.image is None or self.is_draining:
            return spec, NO_PICTURE
        begun_at = self._clock()
        try:
            reading = await self._pictures.read(spec.wanted)
        except Overloaded as error:
            raise self._count(error) from None
        if spec.seconds_left is not None:
            spec = replace(spec, seconds_left=spec.seconds_left - (self._clock() - begun_at))
        return spec, reading

    def _admit(self, spec: JobSpec, reading: PictureReading) -> JobRun:
        if self.is_draining:
            raise self._count(
                Draining(
                    "this server is draining",
                    hint="retry; another server, or this one restarted, takes the job",
                    retry_seconds=self._limits.retry_seconds,
                )
            )
        try:
            job = self._admission.admit(spec, state=self._registry.state, reading=reading)
            seats = self._room.enter(len(job.seeds))
        except Exception as error:
            raise self._count(error) from error.__cause__
        outbox = Outbox(droppable_max=self._limits.outbox_events_max, reader_loop=self._reader_loop)
        run = JobRun(job, outbox=outbox, seats=seats, on_end=self._on_end, clock=self._clock)
        self._running[job.ticket] = run
        self._on_admitted(job)
        return run

    async def _load(self, run: JobRun) -> None:
        """Bring the stack into host memory, held until the job ends."""
        if run.asked_to_stop is not None:
            raise run.asked_to_stop
        leases: list[Lease] = []
        tasks = [asyncio.ensure_future(self._cache.acquire(one)) for one in run.job.digests]
        deadline = run.job.deadline_at
        try:
            seconds_left = None if deadline is None else deadline - self._clock()
            async with asyncio.timeout(seconds_left) as patience:
                self._loading[run.job.ticket] = patience
                for task in tasks:
                    leases.append(await task)
        except TimeoutError as error:
            if run.asked_to_stop is not None:
                raise run.asked_to_stop from None
            raise OutOfTime(
                "the deadline passed while adapters were loaded", hint="allow more time"
            ) from error
        finally:
            self._loading.pop(run.job.ticket, None)
            # A stack that is not complete is given back, loads in flight included, without waiting:
            # whoever is cancelled here may be cancelled again.
            if len(leases) < len(tasks):
                for task in tasks:
                    task.add_done_callback(_give_back)
                    task.cancel()
        run.hold(leases)

    def _abandon(self, run: JobRun) -> None:
        """Stop a job whose caller has gone; does nothing for a job that is over."""
        if run.is_ended:
            return
        gone = run.stop_error or JobCancelled("the caller cancelled", hint="nothing to do")
        run.ask_to_stop(gone)
        if run.is_joined:
            self._loop.wake()
        else:
            run.fail(gone)

    def _count(self, error: Exception) -> Exception:
        """Count a refusal before admission, and return it."""
        self._metrics.jobs.labels(outcome="refused").inc()
        self._metrics.failures.labels(reason=getattr(error, "reason", "INTERNAL")).inc()
        return error

    def _on_end(self, run: JobRun, error: Exception | None) -> None:
        """Count the end of a job; called once, from any thread."""
        self._running.pop(run.job.ticket, None)
        metrics = self._metrics
        if error is None:
            metrics.jobs.labels(outcome="done").inc()
            metrics.job_seconds.observe(run.total_seconds)
            metrics.queue_seconds.observe(run.queue_seconds)
        elif isinstance(error, JobCancelled):
            metrics.jobs.labels(outcome="cancelled").inc()
        elif isinstance(error, ReleaseWithdrawn):
            metrics.jobs.labels(outcome="withdrawn").inc()
        else:
            metrics.jobs.labels(outcome="failed").inc()
            metrics.failures.labels(reason=getattr(error, "reason", "INTERNAL")).inc()
        try:
            self._reader_loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:
            # The asyncio loop is closed: nobody waits for the end any more.
            return


def _give_back(task: "asyncio.Future[Lease]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().release()
