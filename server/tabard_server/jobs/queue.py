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


class Line:
    """Calls that wait for a seat, first come first served. One asyncio thread but for `wake`."""

    def __init__(self, *, calls_max: int) -> None:
        """Take how many may wait at once."""
        self._calls_max = calls_max
        self._calls: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def is_full(self) -> bool:
        """Whether no other call may wait."""
        return len(self._calls) >= self._calls_max

    async def wait(self, *, seconds: float) -> None:
        """Wait until seats are given back, at most so long; who came first is woken first."""
        self._loop = asyncio.get_running_loop()
        call = self._loop.create_future()
        self._calls.append(call)
        try:
            async with asyncio.timeout(seconds):
                await call
        except TimeoutError:
            return
        finally:
            with contextlib.suppress(ValueError):
                self._calls.remove(call)

    def wake(self) -> None:
        """Let those who wait look for a seat; from any thread."""
        if self._loop is not None:
            # The loop may be closed: nobody waits then.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            if not call.done():
                call.set_result(None)


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

    async def wait(self, refusal: Overloaded, *, caller: Caller, request: str = "") -> bool:
        """Wait for the seat of a caller who was refused, though it came back as it was told.

        Returns:
            Whether to try again: seats were given back, or the promise is over.
        """
        seconds = self.room.promised_seconds(caller=caller, request=request)
        if refusal.reason != QUEUE_FULL or seconds <= 0:
            return False
        if self.line.is_full:
            self.room.break_promise(caller=caller, request=request)
        else:
            await self.line.wait(seconds=seconds)
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
    clock: Callable[[], float] = time.monotonic,
) -> Queue:
    """Make the queue before an engine."""
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
    line = Line(calls_max=limits.queue_rows_max)
    room.on_free = line.wake
    return Queue(room=room, forecast=forecast, budgets=Budgets(tenants, clock=clock), line=line)


def _work_of(job: Job) -> float:
    return len(job.seeds) * job.drawing.work
