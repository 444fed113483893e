# SPDX-License-Identifier: Apache-2.0
"""The door of the queue: deadline, budget and seats, all or none."""

import pytest

from tabard_server.callers.caller import Caller
from tabard_server.errors import Overloaded
from tabard_server.jobs.queue import queue_for
from tabard_server.limits import Limits, TenantLimits, Tenants
from tests.server.fakes import FakeEngine
from tests.server.jobs.small_jobs import job


def test_refused_job_spends_no_budget() -> None:
    """Who finds no seat has asked for nothing."""
    work = job().drawing.work
    tenants = Tenants([TenantLimits(name="default", pixel_steps_per_minute=2 * work)])
    queue = queue_for(
        FakeEngine(), limits=Limits(queue_rows_max=1), tenants=tenants, clock=lambda: 0.0
    )
    first, second = Caller("1"), Caller("2")
    seats = queue.enter(job(), caller=first)

    for _ in range(3):
        with pytest.raises(Overloaded) as refusal:
            queue.enter(job(), caller=second)
        assert refusal.value.reason == "QUEUE_FULL"
    seats.leave()
    queue.enter(job(), caller=second).leave()

    with pytest.raises(Overloaded) as refusal:
        queue.enter(job(), caller=second)
    assert refusal.value.reason == "PIXEL_STEPS_SPENT"
