# SPDX-License-Identifier: Apache-2.0
"""The bound of a stop: nothing outlasts it, nothing stops it, and a second signal shortens it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from tabard_server.life.bound import HURRIED_SECONDS, Bound

LONG_SECONDS = 3_600.0
PATIENCE_SECONDS = 60.0


async def for_ever() -> None:
    """Never come."""
    await asyncio.Event().wait()


def within(walk: Coroutine[Any, Any, Bound]) -> Bound:
    """Run it; a bound that does not hold fails the test instead of hanging it."""
    return asyncio.run(asyncio.wait_for(walk, PATIENCE_SECONDS))


def test_what_comes_is_waited_for() -> None:
    """Things that end in time leave nothing behind."""

    async def walk() -> Bound:
        async with Bound(jobs_seconds=LONG_SECONDS, rest_seconds=LONG_SECONDS) as bound:
            await bound.wait_for_jobs(asyncio.sleep(0.001))
            await bound.wait("calls", asyncio.sleep(0.001))
            return bound

    bound = within(walk())
    assert bound.abandoned == []
    assert bound.seconds_left > 0


def test_what_is_late_is_abandoned() -> None:
    """One after another is given up, by name, and those that come are not."""

    async def walk() -> Bound:
        async with Bound(jobs_seconds=0.01, rest_seconds=0.1) as bound:
            await bound.wait_for_jobs(for_ever())
            await bound.wait("engine", for_ever(), share=0.5)
            await bound.wait("page", asyncio.sleep(0))
            await bound.wait("calls", for_ever())
            return bound

    bound = within(walk())
    assert bound.abandoned == ["engine", "calls"]
    assert bound.seconds_left == 0


def test_failure_does_not_stop_the_stop() -> None:
    """What raises has had its turn; it is not called abandoned."""

    async def fail() -> None:
        raise RuntimeError("broken")

    async def walk() -> Bound:
        async with Bound(jobs_seconds=1.0, rest_seconds=1.0) as bound:
            await bound.wait("engine", fail())
            await bound.wait("own", asyncio.wait_for(for_ever(), 0.001))
            return bound

    assert within(walk()).abandoned == []


def test_idle_jobs_give_their_time_back() -> None:
    """When the jobs are over early, the rest has its own time and not theirs."""

    async def walk() -> Bound:
        async with Bound(jobs_seconds=LONG_SECONDS, rest_seconds=5.0) as bound:
            await bound.wait_for_jobs(asyncio.sleep(0))
            return bound

    assert within(walk()).seconds_left <= 5.0


def test_hurry_ends_what_is_waited_for() -> None:
    """Jobs have no time left, whatever they were promised, and the rest has a second."""
    hurry = asyncio.Event()

    async def walk() -> Bound:
        async with Bound(
            jobs_seconds=LONG_SECONDS, rest_seconds=LONG_SECONDS, hurry=hurry
        ) as bound:
            asyncio.get_running_loop().call_later(0.01, hurry.set)
            await bound.wait_for_jobs(for_ever())
            assert bound.seconds_left <= HURRIED_SECONDS
            await bound.wait("engine", for_ever(), share=0.5)
            return bound

    assert within(walk()).abandoned == ["engine"]


def test_hurry_shortens_a_wait_under_way() -> None:
    """What is being waited for after the jobs is cut short as well."""
    hurry = asyncio.Event()

    async def walk() -> Bound:
        async with Bound(jobs_seconds=0.0, rest_seconds=LONG_SECONDS, hurry=hurry) as bound:
            asyncio.get_running_loop().call_later(0.01, hurry.set)
            await bound.wait("engine", for_ever(), share=0.5)
            await bound.wait("calls", for_ever())
            return bound

    assert within(walk()).abandoned == ["engine", "calls"]
