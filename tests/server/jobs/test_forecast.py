# SPDX-License-Identifier: Apache-2.0
"""What the queue says: by what the engine's calls take, and by how fast it moved lately."""

from dataclasses import replace
from typing import Any

import pytest

from tabard_server.engine_port.work import Curve, Estimate, Work
from tabard_server.errors import OutOfTime
from tabard_server.jobs.forecast import Forecast
from tabard_server.limits import Tenants
from tests.server.jobs.small_jobs import job, running

SECOND_A_STEP = Work(step=Estimate(curve=Curve(fixed=1.0)))
"""However many share it."""


class Told:
    """A forecast with a clock of its own, for an engine where four share a step."""

    def __init__(self, work: Work = SECOND_A_STEP) -> None:
        self.now = 100.0
        self.forecast = Forecast(
            work=lambda: work,
            rows_per_step=4,
            tenants=Tenants(),
            retry_seconds_min=0.1,
            clock=lambda: self.now,
        )

    def refusal(self, **changes: Any) -> OutOfTime | None:
        """Return how a job is refused for its deadline."""
        try:
            self.forecast.require_time(job(**changes))
        except OutOfTime as error:
            return error
        return None


def steps_of() -> int:
    return job().drawing.steps


def test_deadline_within_reach_is_taken() -> None:
    """One image alone needs a second for each of its steps."""
    told, needed = Told(), steps_of()

    assert told.refusal(deadline_at=100.0 + needed) is None
    assert told.refusal(deadline_at=None) is None


def test_hopeless_deadline_has_no_retry() -> None:
    """Waiting helps nobody whose images take longer."""
    refusal = Told().refusal(deadline_at=100.0 + steps_of() / 2)

    assert refusal is not None
    assert (refusal.reason, refusal.retry_seconds) == ("DEADLINE_UNREACHABLE", None)


def test_queue_before_it_counts() -> None:
    """It is told of both times, and how long to wait until it would be different."""
    told, needed = Told(), steps_of()
    told.forecast.add(running(ticket=5, images=8).run)

    refusal = told.refusal(deadline_at=100.0 + needed)

    # Eight images are two batches of four.
    assert refusal is not None
    assert refusal.retry_seconds == pytest.approx(2 * needed)
    assert f"about {2 * needed:.1f} s" in str(refusal)


def test_retry_follows_the_queue() -> None:
    """Four share a step, so an image has a quarter of its time; nobody is told less than that."""
    told = Told()
    assert told.forecast.retry_after(4, tenant="") == 0.1
    run = running(ticket=5, images=8).run
    told.forecast.add(run)

    # A little later than the seats are thought to be free.
    assert told.forecast.retry_after(4, tenant="") == pytest.approx(1.2 * steps_of())
    told.forecast.remove(run)
    assert told.forecast.retry_after(4, tenant="") == 0.1


def test_slow_queue_is_believed() -> None:
    """What images took to begin lately, beside what they were thought to, counts from then on."""
    told = Told()
    run = running(ticket=5, images=8).run
    told.forecast.add(run)
    expected = told.forecast.retry_after(4, tenant="")

    for _ in range(5):
        told.forecast.note_begun(run)
        told.now += 3 * steps_of() / 4

    assert told.forecast.retry_after(4, tenant="") == pytest.approx(3 * expected, rel=0.1)


def test_work_is_that_of_all_jobs() -> None:
    """Waiting and begun images count, each less what is done of it; nothing is no work."""
    told = Told()
    assert told.forecast.work_seconds == 0
    waiting, drawn = running(ticket=5, images=8).run, running(ticket=6, images=4).run
    told.forecast.add(waiting)
    told.forecast.add(drawn)

    # Twelve images of which four share a step.
    assert told.forecast.work_seconds == pytest.approx(3 * steps_of())
    for _ in range(4):
        drawn.leave_seat()
    drawn.steps_done = 4 * steps_of() // 2
    told.forecast.remove(waiting)
    assert told.forecast.work_seconds == pytest.approx(steps_of() / 2)


def test_unknown_costs_refuse_nobody() -> None:
    """Where the engine has measured nothing, every deadline may be kept."""
    told = Told(work=replace(SECOND_A_STEP, step=Estimate()))

    assert told.refusal(deadline_at=100.001) is None
