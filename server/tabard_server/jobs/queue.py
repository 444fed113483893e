# SPDX-License-Identifier: Apache-2.0
"""What decides at the door whether a job may wait: seats, budgets and the forecast, as one.

Who comes back as it was told and finds its seat not free yet waits a moment for it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tabard_server.callers.caller import Caller
from tabard_server.engine_port.memory import ROWS_PER_STEP
from tabard_server.engine_port.port import EnginePort
from tabard_server.errors import Overloaded
from tabard_server.jobs.budgets import Budgets
from tabard_server.jobs.forecast import Forecast
from tabard_server.jobs.job import Job
from tabard_server.jobs.run import JobRun
from tabard_server.jobs.waiting_room import QUEUE_FULL, Seats, WaitingRoom
from tabard_server.limits import Limits, Tenants
from tabard_server.telemetry.metrics import Metrics

_CALLS_PER_SEAT_MAX = 4
"""Calls that may wait for each seat: more were promised one, and not all of them come back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Call:
    """A call in the line: how many seats it wants, and whether it would find them."""

    rows: int
    finds_seats: Callable[[], bool]
    woken: asyncio.Future[None]


class Line:
    """Calls that wait for seats, first come first served. One asyncio thread but for `wake`.

    Nobody is woken who would find none: to ask again costs as much as to be refused.
    """

    def __init__(self, *, calls_max: int) -> None:
        """Take how many may wait at once."""
        self._calls_max = calls_max
        self._calls: list[_Call] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def is_full(self) -> bool:
        """Whether no other call may wait."""
        return len(self._calls) >= self._calls_max

    async def wait(self, *, seconds: float, rows: int, finds_seats: Callable[[], bool]) -> None:
        """Wait until so many seats were given back, at most so long."""
        self._loop = asyncio.get_running_loop()
        woken = self._loop.create_future()
        call = _Call(rows=rows, finds_seats=finds_seats, woken=woken)
        self._calls.append(call)
        try:
            async with asyncio.timeout(seconds):
                await woken
        except TimeoutError:
            return
        finally:
            with contextlib.suppress(ValueError):
                self._calls.remove(call)

    def wake(self, rows: int) -> None:
        """Tell those who wait that so many seats were given back; from any thread."""
        if self._loop is not None and self._calls:
            # The loop may be closed: nobody waits then.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake, rows)

    def _wake(self, rows: int) -> None:
        """Wake the first of those who find seats, as many as take what was given back."""
        for call in self._calls:
            if rows <= 0:
                return
            if not call.woken.done() and call.finds_seats():
                rows -= call.rows
                call.woken.set_result(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue of one server. Any thread.

    Attributes:
        room: Its seats.
        forecast: What it says of the future.
        budgets: What tenants may ask for in a minute.
        line: Calls that wait for the seat they were promised.
    """

    room: WaitingRoom
    forecast: Forecast
    budgets: Budgets
    line: Line

    def enter(self, job: Job, *, caller: Caller, request: str = "") -> Seats:
        """Take seats for a job; `request` is what its caller will come back with.

        Raises:
            OutOfTime: It would end after its deadline.
            Overloaded: There are no seats, or its tenant asks for too much.
        """
        self.forecast.require_time(job)
        self.budgets.take(_work_of(job), tenant=job.tenant)
        try:
            return self.room.enter(len(job.seeds), caller=caller, request=request)
        except Overloaded:
            self.budgets.give_back(_work_of(job), tenant=job.tenant)
            raise

    async def wait(
        self, refusal: Overloaded, *, job: Job, caller: Caller, request: str = ""
    ) -> bool:
        """Wait for the seats of a job that was refused, though its caller came back as told.

        Returns:
            Whether to try again: seats were given back, or the promise is over.
        """
        seconds = self.room.promised_seconds(caller=caller, request=request)
        if refusal.reason != QUEUE_FULL or seconds <= 0:
            return False
        if self.line.is_full:
            self.room.break_promise(caller=caller, request=request)
        else:
            rows = len(job.seeds)
            await self.line.wait(
                seconds=seconds,
                rows=rows,
                finds_seats=lambda: self.room.has_seats(rows, caller=caller, request=request),
            )
        return True

    def leave(self, run: JobRun) -> None:
        """Note the end of a job; what was not begun was not used."""
        self.forecast.remove(run)
        if not run.has_begun:
            self.budgets.give_back(_work_of(run.job), tenant=run.job.tenant)


def queue_for(
    engine: EnginePort[Any],
    *,
    limits: Limits,
    tenants: Tenants,
    metrics: Metrics,
    clock: Callable[[], float] = time.monotonic,
) -> Queue:
    """Make the queue before an engine; how full it is stands in the metrics from then on."""
    planned = ROWS_PER_STEP if engine.plan is None else engine.plan.rows_per_step
    forecast = Forecast(
        work=lambda: engine.work,
        rows_per_step=limits.rows_per_step_max or planned,
        tenants=tenants,
        retry_seconds_min=limits.retry_seconds_min,
        clock=clock,
    )
    room = WaitingRoom(
        rows_max=limits.queue_rows_max,
        caller_share_max=limits.caller_share_max,
        retry_after=lambda rows, tenant: forecast.retry_after(rows, tenant=tenant),
        clock=clock,
        tenants=tenants,
    )
    line = Line(calls_max=_CALLS_PER_SEAT_MAX * limits.queue_rows_max)
    room.on_free = line.wake
    metrics.rows_waiting.set_function(lambda: room.depth)
    metrics.queue_work_seconds.set_function(lambda: forecast.work_seconds)
    return Queue(room=room, forecast=forecast, budgets=Budgets(tenants, clock=clock), line=line)


def _work_of(job: Job) -> float:
    return len(job.seeds) * job.drawing.work
