# SPDX-License-Identifier: Apache-2.0
"""The walk of a request: admission, host memory, the loop, and its events back to the caller.

In: requests. Out: a stream of events for each; the same request id stands for the same job. Runs on
the asyncio thread; meets the engine's thread at the loop's inbox and the job's outbox only. A job
that is stopped, or whose deadline passes, ends at once, whatever the engine does.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from tabard_registry import Registry
from tabard_registry.state.sight import seen_by
from tabard_server.adapters.host_cache import HostCache
from tabard_server.adapters.host_memory import Lease
from tabard_server.adapters.line import Place
from tabard_server.admission.admission import Admission
from tabard_server.admission.pictures import NO_PICTURE, PictureReader, PictureReading
from tabard_server.callers.read_on import ReadOn, found
from tabard_server.errors import JobCancelled, NotServing, Overloaded
from tabard_server.jobs.job import Accepted, Done, Event, Failed, Job, JobSpec
from tabard_server.jobs.job_log import JobLog, outcome_of
from tabard_server.jobs.job_traces import JobTrace, JobTraces
from tabard_server.jobs.outbox import Outbox, Reader, Unread, bare
from tabard_server.jobs.queue import Queue
from tabard_server.jobs.request_book import Entry, RequestBook
from tabard_server.jobs.run import JobRun
from tabard_server.jobs.waiting_room import Seats
from tabard_server.life.readiness import Readiness
from tabard_server.limits import Limits
from tabard_server.loop.loop import Loop
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads

_ROUNDING = 0.01
"""gRPC sends a deadline in three digits, so a caller's own clock may be this much ahead."""
_TRAVEL_SECONDS = 0.02


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
        read_on: ReadOn,
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
        self._read_on = read_on
        self._reader_loop = asyncio.get_running_loop()
        self._running: dict[int, JobRun] = {}
        self._places: dict[int, Place] = {}
        self._unread = Unread(limits)
        self._book = RequestBook(limits, clock=clock, on_kept=metrics.replay_bytes.set)
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._graces: dict[int, asyncio.TimerHandle] = {}
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

        Closing the iterator early ends the job at once, and its rows within one step; with a
        request id, after a grace in which a call with the same id finds it.

        Raises:
            ServerError, RegistryError, EngineError: The job was refused, or ended badly.
        """
        caller = spec.caller
        entry = await self._find(spec)
        job, outbox = entry.job, entry.outbox
        # What was sent is not needed any more, and may be large.
        del spec
        assert job is not None and outbox is not None
        reader = outbox.attach()
        self._unread.add(outbox, caller=caller, ticket=job.ticket)
        try:
            yield Accepted(job=job, rows_ahead=entry.rows_ahead)
            while True:
                event = await reader.get()
                self._book.note(entry)
                if isinstance(event, Failed):
                    raise event.error
                yield event
                if isinstance(event, Done):
                    return
        finally:
            self._leave(entry, reader, ticket=job.ticket)

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
        self._book.forget_where(concerns)
        stopped = [run for run in list(self._running.values()) if concerns(run.job)]
        for run in stopped:
            self._end(run, error)
        return len(stopped)

    async def _find(self, spec: JobSpec) -> Entry:
        """Return the job that a request id stands for; what is new is admitted."""
        asked_at = self._clock()
        try:
            entry = await self._book.entry_of(spec)
            if entry.settled.is_set():
                self._attach(entry, spec)
                return entry
        except Exception as error:
            raise self._count(error, spec) from error.__cause__
        trace = self._traces.begin(spec, asked_at=asked_at)
        try:
            reading = await self._read_picture(spec)
            run = await self._admit(spec, reading, asked_at=asked_at, entry=entry, trace=trace)
        except BaseException as error:
            self._book.refuse(entry)
            if trace is not None and isinstance(error, Exception):
                trace.refuse(error, at=self._clock())
            raise
        self._set_timer(run)
        try:
            self._line_up(run)
        except Exception as error:
            # It is admitted: its reader hears of it after `Accepted`.
            run.fail(error)
        return entry

    def _attach(self, entry: Entry, spec: JobSpec) -> None:
        """Give a call the job of an earlier one.

        Raises:
            RequestIdTaken: Its images are not kept.
            Exception: What the job failed with, where that is all that is known of it.
        """
        if entry.job is None or entry.outbox is None:
            raise entry.not_kept()
        self._admission.require_generate(entry.job, identity=spec.identity)
        if grace := self._graces.pop(entry.job.ticket, None):
            grace.cancel()
        is_running = entry.ended_at is None
        self._metrics.jobs_attached.labels(running="yes" if is_running else "no").inc()
        self._job_log.note_attached(entry.job, is_running=is_running)

    def _leave(self, entry: Entry, reader: Reader, *, ticket: int) -> None:
        """Let go of a reader; a job that nobody reads goes on for the grace, if it has an id."""
        if not reader.leave():
            return
        self._unread.remove(ticket)
        self._book.note(entry)
        run = self._running.get(ticket)
        if run is None:
            return
        if entry.key is None or self._is_due(run.job):
            self._abandon(run)
            return
        seconds = self._limits.request_grace_seconds
        self._graces[ticket] = self._reader_loop.call_later(seconds, self._abandon, run)

    async def _read_picture(self, spec: JobSpec) -> PictureReading:
        """Read the picture of a request, at the cost of its own time; others pass it by."""
        if not spec.wanted.has_files or not self._readiness.state.takes_jobs:
            return NO_PICTURE
        try:
            return await self._pictures.read(spec.wanted, caller=spec.caller)
        except Overloaded as error:
            raise self._count(error, spec) from None

    async def _admit(
        self,
        spec: JobSpec,
        reading: PictureReading,
        *,
        asked_at: float,
        entry: Entry,
        trace: JobTrace | None,
    ) -> JobRun:
        """Pin the job in the thread where prompts are read, and give it its seats."""
        try:
            self._readiness.require()
            pin = partial(self._threads.run, self._pin, spec, reading, asked_at=asked_at)
            pinned = await found(pin, read_on=self._read_on)
            job = replace(pinned, trace_id=trace.id if trace else "")
            seats = await self._take_seats(job, spec)
        except Exception as error:
            raise self._count(error, spec) from error.__cause__
        outbox = Outbox(
            droppable_max=self._limits.outbox_events_max,
            reader_loop=self._reader_loop,
            keeps=entry.key is not None,
        )
        run = JobRun(
            job,
            outbox=outbox,
            seats=seats,
            on_end=partial(self._on_end, entry, trace),
            on_row_begun=self._queue.forecast.note_begun,
            clock=self._clock,
        )
        self._queue.forecast.add(run)
        self._running[job.ticket] = run
        self._book.admit(entry, job, rows_ahead=seats.rows_ahead, outbox=outbox)
        self._on_admitted(job)
        return run

    async def _take_seats(self, job: Job, spec: JobSpec) -> Seats:
        """Give a job its seats; who came back as it was told waits a moment for them."""
        while True:
            # From here to the seats nothing is awaited: what comes now finds the job running.
            self._readiness.require()
            self._admission.review(job, state=self._registry.state)
            self._unread.refuse_slow_reader(spec.caller)
            self._cache.require_room(job.digests, tenant=job.tenant)
            try:
                return self._queue.enter(job, caller=spec.caller, request=spec.request_id)
            except Overloaded as refusal:
                who, request = spec.caller, spec.request_id
                if not await self._queue.wait(refusal, job=job, caller=who, request=request):
                    raise

    def _set_timer(self, run: JobRun) -> None:
        """End the job when its deadline passes, wherever it is then."""
        if run.job.deadline_at is None:
            return
        seconds = max(0.0, run.job.deadline_at - self._clock())
        timer = self._reader_loop.call_later(seconds, self._expire, run)
        self._timers[run.job.ticket] = timer

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
        gone = JobCancelled(
            "the caller had gone",
            hint="ask again; where there is a request id, with another one, or within "
            "limits.request_grace_seconds",
        )
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
        self._leave_line(run)
        self._loop.wake()

    def _leave_line(self, run: JobRun) -> None:
        if place := self._places.pop(run.job.ticket, None):
            self._cache.leave(place)

    def _count(self, error: Exception, spec: JobSpec) -> Exception:
        """Count a refusal before admission, and return it."""
        self._metrics.tenants.count_refusal(spec.identity.tenant)
        self._metrics.jobs.labels(outcome="refused").inc()
        self._metrics.failures.labels(reason=getattr(error, "reason", "INTERNAL")).inc()
        self._job_log.note_refusal(error)
        return error

    def _on_end(
        self, entry: Entry, trace: JobTrace | None, run: JobRun, error: Exception | None
    ) -> None:
        """Count and log the end of a job; called once, from any thread."""
        self._running.pop(run.job.ticket, None)
        self._queue.leave(run)
        outcome = outcome_of(error)
        self._metrics.count_job(
            outcome,
            tenant=run.job.identity.tenant,
            queue_seconds=run.queue_seconds if run.has_begun else None,
            total_seconds=run.total_seconds,
            reason=str(getattr(error, "reason", "INTERNAL")),
        )
        self._job_log.note_end(run, outcome=outcome, error=error)
        try:
            self._reader_loop.call_soon_threadsafe(self._note_end, entry, trace, run, outcome)
        except RuntimeError:
            # The asyncio loop is closed: nobody waits for the end any more.
            return

    def _note_end(self, entry: Entry, trace: JobTrace | None, run: JobRun, outcome: str) -> None:
        for timers in (self._timers, self._graces):
            if timer := timers.pop(run.job.ticket, None):
                timer.cancel()
        self._leave_line(run)
        if trace is not None:
            trace.end(run, outcome=outcome)
        self._book.end(entry, outcome=outcome, error=run.error and bare(run.error))
        if entry.key is not None:
            self._reader_loop.call_later(self._limits.replay_seconds_max, self._book.expire)
        self._ended.set()
