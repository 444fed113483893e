# SPDX-License-Identifier: Apache-2.0
"""The door of the queue: deadline, budget and seats, all or none."""

import asyncio
import threading

import pytest

from tabard_server.callers.caller import Caller
from tabard_server.errors import Overloaded
from tabard_server.jobs.queue import Line, Queue, queue_for
from tabard_server.limits import Limits, TenantLimits, Tenants
from tabard_server.telemetry.metrics import Metrics
from tests.server.fakes import FakeEngine
from tests.server.jobs.small_jobs import job, running


def test_refused_job_spends_no_budget() -> None:
    """Who finds no seat has asked for nothing."""
    work = job().drawing.work
    tenants = Tenants([TenantLimits(name="default", pixel_steps_per_minute=2 * work)])
    queue = queue_for(
        FakeEngine(),
        limits=Limits(queue_rows_max=1),
        tenants=tenants,
        metrics=Metrics(),
        clock=lambda: 0.0,
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


def full_queue(now: list[float], *, metrics: Metrics | None = None) -> Queue:
    """Return a queue of one seat, which is taken."""
    found = queue_for(
        FakeEngine(),
        limits=Limits(queue_rows_max=1),
        tenants=Tenants(),
        metrics=metrics or Metrics(),
        clock=lambda: now[0],
    )
    return found


def test_queue_stands_in_the_metrics() -> None:
    """How many images wait, and how long the engine would need for them, as of each look."""
    metrics = Metrics()
    queue, told = full_queue([0.0], metrics=metrics), metrics.registry.get_sample_value
    seats = queue.enter(job(), caller=Caller("0"))
    queue.forecast.add(running().run)

    assert told("tabard_rows_waiting") == 1
    assert told("tabard_queue_work_seconds") == queue.forecast.work_seconds
    seats.leave()
    assert told("tabard_rows_waiting") == 0


def refusal_of(queue: Queue, caller: Caller) -> Overloaded:
    """Ask for a seat that there is not."""
    with pytest.raises(Overloaded) as refusal:
        queue.enter(job(), caller=caller)
    return refusal.value


def test_due_caller_waits_for_the_seat() -> None:
    """Woken from another thread when it is free; a newcomer is told at once."""
    now = [0.0]
    queue = full_queue(now)
    seats, me = queue.enter(job(), caller=Caller("0")), Caller("me")
    first = refusal_of(queue, me)

    async def walk() -> None:
        assert not await queue.wait(first, job=job(), caller=me)
        now[0] += first.retry_seconds or 0.0
        again = refusal_of(queue, me)
        waits = asyncio.ensure_future(queue.wait(again, job=job(), caller=me))
        await asyncio.sleep(0)
        newcomer = Caller("new")
        assert not await queue.wait(refusal_of(queue, newcomer), job=job(), caller=newcomer)
        assert (len(queue.line), waits.done()) == (1, False)
        threading.Thread(target=seats.leave).start()
        assert await waits
        queue.enter(job(), caller=me)

    asyncio.run(walk())


def test_full_line_makes_a_newcomer() -> None:
    """Who may not wait either has no promise any more, and is told a new time."""
    now = [0.0]
    queue = full_queue(now)
    queue.enter(job(), caller=Caller("0"))
    *others, you = callers = [Caller(str(number)) for number in range(1, 6)]
    told = [refusal_of(queue, caller).retry_seconds or 0.0 for caller in callers]
    now[0] += max(told)

    async def walk() -> None:
        waits = [
            asyncio.ensure_future(queue.wait(refusal_of(queue, one), job=job(), caller=one))
            for one in others
        ]
        await asyncio.sleep(0)
        assert queue.line.is_full
        assert await queue.wait(refusal_of(queue, you), job=job(), caller=you)
        assert queue.room.promised_seconds(caller=you) == 0.0
        assert not await queue.wait(refusal_of(queue, you), job=job(), caller=you)
        for call in waits:
            call.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert len(queue.line) == 0

    asyncio.run(walk())


def test_line_wakes_as_many_as_find_seats() -> None:
    """First come, first served; who finds none is passed by, and nobody asks again for nothing."""

    async def walk() -> None:
        line, woken = Line(calls_max=4), []
        finds = {"a": True, "b": False, "c": True, "d": True}

        async def wait(name: str) -> None:
            await line.wait(seconds=60.0, rows=1, finds_seats=lambda: finds[name])
            woken.append(name)

        calls = [asyncio.ensure_future(wait(name)) for name in finds]
        await asyncio.sleep(0)
        assert line.is_full
        for rows, told in ((1, ["a"]), (1, ["a", "c"]), (3, ["a", "c", "d"])):
            line.wake(rows)
            for _ in range(5):
                await asyncio.sleep(0)
            assert woken == told
        finds["b"] = True
        line.wake(1)
        await asyncio.gather(*calls)
        await line.wait(seconds=0.001, rows=1, finds_seats=lambda: True)

        assert woken == ["a", "c", "d", "b"]
        assert len(line) == 0

    asyncio.run(walk())


def test_line_wakes_those_who_fill_what_is_free() -> None:
    """Seats that were given back are not told to more than they are for."""

    async def walk() -> None:
        line = Line(calls_max=3)
        wants = (2, 2, 1)
        calls = [
            asyncio.ensure_future(line.wait(seconds=60.0, rows=rows, finds_seats=lambda: True))
            for rows in wants
        ]
        await asyncio.sleep(0)
        line.wake(3)
        await asyncio.wait(calls[:2])

        assert [call.done() for call in calls] == [True, True, False]
        line.wake(1)
        await asyncio.gather(*calls)

    asyncio.run(walk())
