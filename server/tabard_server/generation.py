# SPDX-License-Identifier: Apache-2.0
"""The walk of a request: admission, host memory, the loop, and its events back to the caller.

In: requests. Out: a stream of events for each. Runs on the asyncio thread; meets the engine's
thread at the loop's inbox and the job's outbox only. A job that is stopped, or whose deadline
passes, ends at once, whatever the engine does. Knows nothing of protobuf.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from tabard_registry import Registry
from tabard_registry.state.sight import seen_by
from tabard_server.adapters.host_cache import HostCache, Place
from tabard_server.adapters.host_memory import Lease
from tabard_server.admission.admission import Admission
from tabard_server.admission.pictures import NO_PICTURE, PictureReader, PictureReading
from tabard_server.callers.caller import Caller
from tabard_server.errors import (
    JobCancelled,
    NotServing,
    OutOfTime,
    Overloaded,
    ReleaseWithdrawn,
)
from tabard_server.jobs.job import Accepted, Done, Event, Failed, Job, JobSpec
from tabard_server.jobs.job_log import JobLog
from tabard_server.jobs.job_traces import JobTraces
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.queue import Queue
from tabard_server.jobs.run import JobRun
from tabard_server.life.readiness import Readiness
from tabard_server.limits import Limits
from tabard_server.loop.loop import Loop
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads

_ROUNDING = 0.01
"""gRPC sends a deadline in three digits, so a caller's own clock may be this much ahead."""
_TRAVEL_SECONDS = 0.02
_OUTCOMES = {OutOfTime: "expired", JobCancelled: "cancelled", ReleaseWithdrawn: "withdrawn"}


class Generation:
    """Leads jobs from admission to their last image. One asyncio thread."""

    def __init__(
        self,
        *,
        registry: Registry,
        admission: Admission,
        pictures: PictureReader,
        readiness: Readiness,
        queue: Queue,
        cache: HostCache,
        loop: Loop[Any],
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], float],
        on_admitted: Callable[[Job], None],
        threads: Threads,
        job_log: JobLog,
        traces: JobTraces,
    ) -> None:
        """Take the rooms along the way.

        `on_admitted` is told of every job and must not wait. `threads` is one thread: admission
        reads prompts one after another, in their order.
        """
        self._registry = registry
        self._admission = admission
        self._pictures = pictures
        self._readiness = readiness
        self._queue = queue
        self._cache = cache
        self._loop = loop
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._on_admitted = on_admitted
        self._threads = threads
        self._job_log = job_log
        self._traces = traces
        self._reader_loop = asyncio.get_running_loop()
        self._running: dict[int, JobRun] = {}
        self._places: dict[int, Place] = {}
        self._unread: dict[int, tuple[Caller, Outbox]] = {}
        self._ended = asyncio.Event()

    @property
    def jobs_left(self) -> int:
        """Jobs admitted and not over."""
        return len(self._running)

    def rows_by_tenant(self) -> dict[str, tuple[int, int]]:
        """Say how many images of each tenant wait, and how many are begun and not sent."""
        found: dict[str, tuple[int, int]] = {}
        for run in list(self._running.values()):
            waiting, running = found.get(run.job.identity.tenant, (0, 0))
            found[run.job.identity.tenant] = waiting + run.seats.rows, running + run.rows_running
        return found

    async def generate(self, spec: JobSpec) -> AsyncGenerator[Event, None]:
        """Admit a job and yield its events, `Accepted` first and `Done` last.

        Closing the iterator early ends the job at once, and its rows within one step.

        Raises:
            ServerError, RegistryError, EngineError: The job was refused, or ended badly.
        """
        asked_at = self._clock()
        trace = self._traces.begin(spec, asked_at=asked_at)
        trace_id = "" if trace is None else trace.id
        try:
            reading = await self._read_picture(spec)
            run = await self._admit(spec, reading, asked_at=asked_at, trace_id=trace_id)
        except Exception as error:
            if trace is not None:
                trace.refuse(error, at=self._clock())
            raise
        # What was sent is not needed any more, and may be large.
        del spec
        timer = self._set_timer(run)
        try:
            yield Accepted(job=run.job, rows_ahead=run.seats.rows_ahead)
            self._line_up(run)
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
            if timer is not None:
                timer.cancel()
            self._abandon(run)
            del self._unread[run.job.ticket]
            if trace is not None:
                trace.end(run, outcome=_outcome(run.error))

    async def wait_until_empty(self) -> None:
        """Wait for running jobs."""
        while self._running:
            self._ended.clear()
            await self._ended.wait()

    def stop_all(self) -> None:
        """End every job."""
        stopped = NotServing(
            "the server stopped before the job was done",
            reason="SERVER_STOPPED",
            hint="retry; another server, or this one restarted, takes the job",
            retry_seconds=self._limits.retry_seconds,
        )
        self.stop_where(lambda _job: True, error=stopped)

    def jobs_wearing(self, digest: str) -> int:
        """Say how many jobs wear a release, by itself or in a recipe."""
        return sum(digest in run.job.pinned for run in self._running.values())

    def stop_where(self, concerns: Callable[[Job], bool], *, error: Exception) -> int:
        """End some jobs at once; their rows leave at the next step boundary.

        Returns:
            How many.
        """
        stopped = [run for run in list(self._running.values()) if concerns(run.job)]
        for run in stopped:
            self._end(run, error)
        return len(stopped)

    async def _read_picture(self, spec: JobSpec) -> PictureReading:
        """Read the picture of a request, at the cost of its own time; others pass it by."""
        if spec.wanted.image is None or not self._readiness.state.takes_jobs:
            return NO_PICTURE
        try:
            return await self._pictures.read(spec.wanted, caller=spec.caller)
        except Overloaded as error:
            raise self._count(error, spec) from None

    async def _admit(
        self, spec: JobSpec, reading: PictureReading, *, asked_at: float, trace_id: str
    ) -> JobRun:
        """Pin the job in the thread where prompts are read, and give it its seats."""
        try:
            self._readiness.require()
            pinned = await self._threads.run(self._pin, spec, reading, asked_at=asked_at)
            job = replace(pinned, trace_id=trace_id)
            # From here to the seats nothing is awaited: what comes now finds the job running.
            self._readiness.require()
            self._admission.review(job, state=self._registry.state)
            self._refuse_slow_reader(spec.caller)
            self._cache.require_room(job.digests, tenant=job.tenant)
            seats = self._queue.enter(job, caller=spec.caller)
        except Exception as error:
            raise self._count(error, spec) from error.__cause__
        outbox = Outbox(droppable_max=self._limits.outbox_events_max, reader_loop=self._reader_loop)
        self._unread[job.ticket] = spec.caller, outbox
        run = JobRun(
            job,
            outbox=outbox,
            seats=seats,
            on_end=self._on_end,
            on_row_begun=self._queue.forecast.note_begun,
            clock=self._clock,
        )
        self._queue.forecast.add(run)
        self._running[job.ticket] = run
        self._on_admitted(job)
        return run

    def _set_timer(self, run: JobRun) -> asyncio.TimerHandle | None:
        """End the job when its deadline passes, wherever it is then."""
        if run.job.deadline_at is None:
            return None
        seconds = max(0.0, run.job.deadline_at - self._clock())
        return self._reader_loop.call_later(seconds, self._expire, run)

    def _expire(self, run: JobRun) -> None:
        run.expire()
        self._end_waiting(run)

    def _pin(self, spec: JobSpec, reading: PictureReading, *, asked_at: float) -> Job:
        """Admit what was asked a moment ago: the caller's time has gone on since."""
        if spec.seconds_left is not None:
            gone = self._clock() - asked_at
            spec = replace(spec, seconds_left=spec.seconds_left - gone)
        state = seen_by(self._registry.state, spec.identity.grants)
        return self._admission.admit(spec, state=state, reading=reading)

    def _refuse_slow_reader(self, caller: Caller) -> None:
        """Draw no more for a caller who does not take what was drawn, and fills the memory so."""
        most = self._limits.outbox_bytes_max
        held = [(whose, outbox.unread_bytes) for whose, outbox in self._unread.values()]
        mine = sum(unread for whose, unread in held if whose == caller)
        is_full = sum(unread for _whose, unread in held) >= most
        if mine and (is_full or mine >= most * self._limits.caller_share_max):
            raise Overloaded(
                f"this caller has {mine} bytes of finished images that it has not read",
                reason="IMAGES_UNREAD",
                hint="read them, then ask again (limits.outbox_bytes_max, limits.caller_share_max)",
                retry_seconds=self._limits.retry_seconds,
            )

    def _line_up(self, run: JobRun) -> None:
        """Let the job wait for its stack in host memory, then for the engine."""
        if run.is_ended:
            return

        def join(lease: Lease) -> None:
            run.hold(lease)
            self._loop.join(run)

        place = self._cache.enter(
            run.job.digests,
            rows=len(run.job.seeds),
            claim=run.job.claim,
            on_lease=join,
            on_failure=run.fail,
        )
        if not run.is_ended:
            self._places[run.job.ticket] = place

    def _abandon(self, run: JobRun) -> None:
        """End a job whose caller has gone; does nothing for a job that is over.

        gRPC cuts a call off at its deadline: that job was not cancelled, it was late.
        """
        gone = JobCancelled("the caller cancelled", hint="nothing to do")
        if self._is_due(run.job):
            self._expire(run)
        else:
            self._end(run, gone)

    def _is_due(self, job: Job) -> bool:
        if job.deadline_at is None:
            return False
        early = _ROUNDING * (job.deadline_at - job.admitted_at) + _TRAVEL_SECONDS
        return self._clock() >= job.deadline_at - early

    def _end(self, run: JobRun, error: Exception) -> None:
        """End a job now; the engine's thread drops its rows when it comes to it."""
        run.fail(error)
        self._end_waiting(run)

    def _end_waiting(self, run: JobRun) -> None:
        if place := self._places.pop(run.job.ticket, None):
            self._cache.leave(place)
        self._loop.wake()

    def _count(self, error: Exception, spec: JobSpec) -> Exception:
        """Count a refusal before admission, and return it."""
        self._metrics.tenants.count_refusal(spec.identity.tenant)
        self._metrics.jobs.labels(outcome="refused").inc()
        self._metrics.failures.labels(reason=getattr(error, "reason", "INTERNAL")).inc()
        self._job_log.note_refusal(error)
        return error

    def _on_end(self, run: JobRun, error: Exception | None) -> None:
        """Count and log the end of a job; called once, from any thread."""
        self._running.pop(run.job.ticket, None)
        self._queue.leave(run)
        outcome = _outcome(error)
        self._count_end(run, outcome=outcome, error=error)
        self._job_log.note_end(run, outcome=outcome, error=error)
        try:
            self._reader_loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:
            # The asyncio loop is closed: nobody waits for the end any more.
            return

    def _count_end(self, run: JobRun, *, outcome: str, error: Exception | None) -> None:
        metrics = self._metrics
        metrics.jobs.labels(outcome=outcome).inc()
        if run.has_begun:
            metrics.tenants.count_wait(run.job.identity.tenant, seconds=run.queue_seconds)
        if outcome == "done":
            metrics.job_seconds.observe(run.total_seconds)
            metrics.queue_seconds.observe(run.queue_seconds)
        elif outcome == "expired":
            metrics.jobs_expired.labels(begun="yes" if run.has_begun else "no").inc()
        elif outcome == "failed":
            metrics.failures.labels(reason=getattr(error, "reason", "INTERNAL")).inc()


def _outcome(error: Exception | None) -> str:
    if error is None:
        return "done"
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return outcome
    return "failed"
