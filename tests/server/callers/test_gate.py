# SPDX-License-Identifier: Apache-2.0
"""The gate: which places a call takes, and that operators always find one."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tabard_server.callers.caller import Caller
from tabard_server.callers.gate import Gate, Work
from tabard_server.errors import Overloaded
from tabard_server.limits import Limits

ONE, TWO = Caller("one"), Caller("two")


def test_operators_places_are_nobody_elses() -> None:
    """With every other place taken, an operator's call gets in, of the same callers too."""
    gate = Gate(Limits(calls_max=10, operator_calls_reserved=2))

    async def walk() -> str:
        async with AsyncExitStack() as held:
            for caller in (ONE,) * 6 + (TWO,) * 2:
                await held.enter_async_context(gate.call(Work.DRAW, caller=caller))
            with pytest.raises(Overloaded) as caught:
                await held.enter_async_context(gate.call(Work.LOOK, caller=Caller("three")))
            await held.enter_async_context(gate.call(Work.OPERATE, caller=ONE))
            return caught.value.reason

    assert asyncio.run(walk()) == "CALLS_BUSY"


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (Work.UPLOAD, "UPLOADS_BUSY"),
        (Work.DOWNLOAD, "FETCHES_BUSY"),
        (Work.ACT, "ACTS_BUSY"),
        (Work.READ, "READS_BUSY"),
        (Work.WATCH, "WATCHERS_BUSY"),
        (Work.WATCH_HEALTH, "WATCHERS_BUSY"),
        (Work.DESCRIBE, "WATCHERS_BUSY"),
    ],
)
def test_what_is_held_is_bounded(work: Work, reason: str) -> None:
    """Each kind by itself: by all callers together, and by one alone; other kinds go on."""
    limits = Limits(
        uploads_max=4,
        fetches_max=4,
        registry_acts_max=4,
        registry_reads_max=4,
        watchers_max=4,
        uploads_queue_max=0,
        fetches_queue_max=0,
        registry_queue_max=0,
    )
    gate = Gate(limits)

    async def walk() -> list[str]:
        reasons = []
        async with AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(gate.work(work, caller=ONE))
            with pytest.raises(Overloaded, match="its share") as caught:
                await held.enter_async_context(gate.work(work, caller=ONE))
            reasons.append(caught.value.reason)
            await held.enter_async_context(gate.work(work, caller=TWO))
            with pytest.raises(Overloaded, match="run already") as caught:
                await held.enter_async_context(gate.work(work, caller=TWO))
            reasons.append(caught.value.reason)
            for other in set(Work) - {work}:
                await held.enter_async_context(gate.work(other, caller=ONE))
        return reasons

    assert asyncio.run(walk()) == [reason, reason]
