# SPDX-License-Identifier: Apache-2.0
"""What decides at the door whether a job may wait: seats, budgets and the forecast, as one."""

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
from tabard_server.jobs.waiting_room import Seats, WaitingRoom
from tabard_server.limits import Limits, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue of one server. Any thread.

    Attributes:
        room: Its seats.
        forecast: What it says of the future.
        budgets: What tenants may ask for in a minute.
    """

    room: WaitingRoom
    forecast: Forecast
    budgets: Budgets

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
    return Queue(room=room, forecast=forecast, budgets=Budgets(tenants, clock=clock))


def _work_of(job: Job) -> float:
    return len(job.seeds) * job.drawing.work
