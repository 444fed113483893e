# SPDX-License-Identifier: Apache-2.0
"""Places: so many, never all of them one caller's, and a line that is left as one leaves."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from tabard_server.callers.caller import Caller
from tabard_server.callers.places import Places, PlacesRule
from tabard_server.errors import Overloaded

GREEDY, LIGHT, OTHER = (Caller(name) for name in ("greedy", "light", "other"))
RULE = PlacesRule(
    what="uploads",
    setting="uploads_max",
    places_max=4,
    share=0.75,
    queue_max=4,
    wait_seconds_max=60.0,
    reason="UPLOADS_BUSY",
    retry_seconds=2.0,
    retry_seconds_min=0.1,
)


class Stay:
    """Somebody who takes a place and stays until told."""

    def __init__(self, places: Places, caller: Caller, entered: list[Caller]) -> None:
        self._go = asyncio.Event()
        self.task = asyncio.ensure_future(self._stay(places, caller, entered))

    async def _stay(self, places: Places, caller: Caller, entered: list[Caller]) -> None:
        async with places.one(caller):
            entered.append(caller)
            await self._go.wait()

    async def leave(self) -> None:
        self._go.set()
        await self.task


def run(
    walk: Callable[[Callable[[Caller], Stay], Places, list[Caller]], Coroutine[Any, Any, None]],
    rule: PlacesRule = RULE,
) -> None:
    """Walk with a way to begin stays, the places, and who entered, in order."""

    async def begin() -> None:
        # A loop does not hold its tasks: a stay that nobody holds may be collected.
        places, entered, stays = Places(rule), list[Caller](), list[Stay]()

        def stay(caller: Caller) -> Stay:
            stays.append(Stay(places, caller, entered))
            return stays[-1]

        async with asyncio.timeout(60):
            await walk(stay, places, entered)

    asyncio.run(begin())


async def settle() -> None:
    """Let everybody go as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_nobody_takes_all_places() -> None:
    """The greedy one waits at its share while a place is free for others, and gets in after."""

    async def walk(begin: Any, places: Places, entered: list[Caller]) -> None:
        stays = [begin(GREEDY) for _ in range(5)]
        await settle()
        assert (places.held, places.waiting) == (3, 2)
        light = begin(LIGHT)
        await settle()
        assert entered == [GREEDY, GREEDY, GREEDY, LIGHT]
        for stay in stays:
            await stay.leave()
        await light.leave()
        assert (places.held, places.waiting, len(entered)) == (0, 0, 6)

    run(walk)


def test_line_is_first_come_first_served() -> None:
    """Whoever waits longest and may have a place gets the next one."""

    async def walk(begin: Any, places: Places, entered: list[Caller]) -> None:
        first = [begin(GREEDY), begin(GREEDY), begin(GREEDY), begin(LIGHT)]
        await settle()
        begin(OTHER), begin(LIGHT)
        await settle()
        assert places.waiting == 2
        await first[0].leave()
        await settle()
        assert entered[4:] == [OTHER]
        await first[1].leave()
        await settle()
        assert entered[4:] == [OTHER, LIGHT]

    run(walk)


def test_full_line_refuses_at_once() -> None:
    """It says how many run and wait, which bounds these are, and when to come back."""

    async def walk(begin: Any, places: Places, _entered: list[Caller]) -> None:
        for caller in (GREEDY, GREEDY, GREEDY, LIGHT, OTHER, LIGHT, LIGHT, GREEDY):
            begin(caller)
        await settle()
        with pytest.raises(Overloaded, match="4 uploads run already, and 4 wait") as caught:
            async with places.one(OTHER):
                pass
        assert (caught.value.reason, caught.value.retry_seconds) == ("UPLOADS_BUSY", 2.0)
        assert "limits.uploads_max" in caught.value.hint

    run(walk)


def test_line_is_nobodys_alone() -> None:
    """Who fills its share of the line is told so, while others may still wait."""

    async def walk(begin: Any, places: Places, _entered: list[Caller]) -> None:
        for _ in range(6):
            begin(GREEDY)
        await settle()
        with pytest.raises(Overloaded, match="its share of 4") as caught:
            async with places.one(GREEDY):
                pass
        assert "caller_share_max" in caught.value.hint
        begin(LIGHT), begin(LIGHT)
        await settle()
        assert (places.held, places.waiting) == (4, 4)

    run(walk)


def test_whoever_leaves_the_line_is_gone() -> None:
    """A caller that goes while it waits holds nothing, and the next one is called."""

    async def walk(begin: Any, places: Places, entered: list[Caller]) -> None:
        first = [begin(caller) for caller in (GREEDY, GREEDY, GREEDY, LIGHT)]
        await settle()
        gone, patient = begin(OTHER), begin(LIGHT)
        await settle()
        gone.task.cancel()
        await settle()
        assert places.waiting == 1
        await first[0].leave()
        await settle()
        assert entered[4:] == [LIGHT]
        await patient.leave()
        assert places.held == 3

    run(walk)


def test_place_of_one_who_left_is_given_on() -> None:
    """Even when it was called in the same moment in which it left."""

    async def walk(begin: Any, places: Places, entered: list[Caller]) -> None:
        async with places.one(GREEDY):
            for caller in (GREEDY, GREEDY, LIGHT):
                begin(caller)
            gone, _patient = begin(OTHER), begin(LIGHT)
            await settle()
        # The end of the block has called the one who now leaves.
        gone.task.cancel()
        await settle()
        assert entered[3:] == [LIGHT]
        assert (places.held, places.waiting) == (4, 0)

    run(walk)


def test_wait_has_an_end() -> None:
    """Whoever waited long enough is told to come back, and is out of the line."""

    async def walk(begin: Any, places: Places, _entered: list[Caller]) -> None:
        begin(GREEDY)
        await settle()
        with pytest.raises(Overloaded):
            async with places.one(LIGHT):
                pass
        assert places.waiting == 0

    run(walk, replace(RULE, places_max=1, wait_seconds_max=0.01))


def test_place_comes_back_from_failures() -> None:
    """Whoever fails inside makes room as whoever ends well does."""

    async def walk(_begin: Any, places: Places, _entered: list[Caller]) -> None:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                async with places.one(GREEDY):
                    raise ZeroDivisionError
        assert places.held == 0

    run(walk)


def test_holders_are_told_who_waits() -> None:
    """Each time somebody joins the line, not when somebody finds a place at once."""

    async def walk(begin: Any, places: Places, entered: list[Caller]) -> None:
        told: list[bool] = []
        async with places.one(OTHER) as place:
            place.on_wanted = lambda: told.append(place.is_wanted)
            stays = [begin(GREEDY) for _ in range(3)]
            await settle()
            assert (told, place.is_wanted) == ([], False)
            stays.append(begin(LIGHT))
            await settle()
            assert (told, place.is_wanted) == ([True], True)
            await stays[0].leave()
            await settle()
            assert not place.is_wanted
        for stay in stays[1:]:
            await stay.leave()

    run(walk)


def test_refusal_says_when_by_how_long_places_are_held() -> None:
    """Four places held for 8 s each: one in 2 s, and behind two who wait the third; bounded."""
    now = [0.0]

    async def refusal(places: Places, caller: Caller) -> float | None:
        with pytest.raises(Overloaded) as refused:
            async with places.one(caller):
                raise AssertionError
        return refused.value.retry_seconds

    async def walk() -> None:
        rule = replace(RULE, queue_max=2, share=1.0)
        places = Places(rule, clock=lambda: now[0])
        told: list[float | None] = []
        for seconds in (None, 8.0, 3_600.0):
            if seconds is not None:
                for _ in range(200):
                    async with places.one(LIGHT):
                        now[0] += seconds
            stays = [Stay(places, LIGHT, []) for _ in range(6)]
            await asyncio.sleep(0)
            told.append(await refusal(places, OTHER))
            for stay in stays:
                await stay.leave()
        assert told == [2.0, pytest.approx(6.0), 60.0]

    asyncio.run(walk())
