# SPDX-License-Identifier: Apache-2.0
"""So many of one kind at once, never all of them one caller's, and a bounded line for the others.

First come, first served; a caller who holds its share is passed over until it gives one back.
Whoever holds a place is told when somebody waits for one; whoever is refused, when one should be
free, by how long they were held lately.
Asyncio thread.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tabard_server.callers.caller import Caller, share_of
from tabard_server.errors import Overloaded

_MEMORY = 0.9
"""What is left of the past with each place that is given back: some ten of them count."""
_RETRY_SECONDS_MAX = 60.0
"""Some places are held for hours; whoever waits for one may look sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesRule:
    """What some places are, and how many.

    Attributes:
        what: What takes them, in the plural.
        setting: The name of the bound.
        places_max: How many there are.
        share: The part of them, and of the line, that one caller may hold.
        queue_max: How many may wait for one; 0: whoever finds none is told to come back.
        wait_seconds_max: How long.
        reason: The reason of the refusal.
        retry_seconds: What a caller who is refused is told to wait as long as no place was given
            back yet.
        retry_seconds_min: The least that a caller is told.
    """

    what: str
    setting: str
    places_max: int
    share: float
    queue_max: int = 0
    wait_seconds_max: float = 0.0
    reason: str
    retry_seconds: float
    retry_seconds_min: float


class Place:
    """A place that is held.

    Attributes:
        on_wanted: Called when somebody begins to wait; its holder sets it.
    """

    def __init__(self, places: "Places") -> None:
        self._places = places
        self.on_wanted: Callable[[], None] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for one like it."""
        return self._places.waiting > 0


@dataclass(slots=True, eq=False)
class _Waiting:
    caller: Caller
    called: "asyncio.Future[None]"


class Places:
    """Places of one kind."""

    def __init__(self, rule: PlacesRule, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rule = rule
        self._clock = clock
        self._seconds = self._count = 0.0
        self._held: Counter[Caller] = Counter()
        self._held_in_all = 0
        self._queue: deque[_Waiting] = deque()
        self._taken: set[Place] = set()
        self._share = share_of(rule.places_max, share=rule.share)
        self._queue_share = share_of(rule.queue_max, share=rule.share)

    @property
    def held(self) -> int:
        """How many are taken."""
        return self._held_in_all

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @asynccontextmanager
    async def one(self, caller: Caller) -> AsyncIterator[Place]:
        """Hold a place inside the block, after waiting for it if need be.

        A caller who leaves meanwhile leaves the line at once.

        Raises:
            Overloaded: None is free, and none came free in time.
        """
        if self._is_free_for(caller):
            self._take(caller)
        else:
            await self._wait(caller)
        place, begun_at = Place(self), self._clock()
        self._taken.add(place)
        try:
            yield place
        finally:
            self._taken.remove(place)
            self._seconds = _MEMORY * self._seconds + self._clock() - begun_at
            self._count = _MEMORY * self._count + 1.0
            self._give_back(caller)

    def _is_free_for(self, caller: Caller) -> bool:
        # Nobody in line is overtaken: whoever could take a free place was called when it came free.
        return self.held < self._rule.places_max and self._held[caller] < self._share

    def _take(self, caller: Caller) -> None:
        self._held[caller] += 1
        self._held_in_all += 1

    async def _wait(self, caller: Caller) -> None:
        in_line = sum(one.caller == caller for one in self._queue)
        if len(self._queue) >= self._rule.queue_max or in_line >= self._queue_share:
            raise self._refusal(caller)
        mine = _Waiting(caller, asyncio.get_running_loop().create_future())
        self._queue.append(mine)
        for place in self._taken:
            if place.on_wanted is not None:
                place.on_wanted()
        try:
            async with asyncio.timeout(self._rule.wait_seconds_max):
                await mine.called
        except BaseException as error:
            if mine.called.done() and not mine.called.cancelled():
                self._give_back(caller)
            else:
                self._queue.remove(mine)
            if isinstance(error, TimeoutError):
                raise self._refusal(caller) from None
            raise

    def _give_back(self, caller: Caller) -> None:
        self._held_in_all -= 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        for one in tuple(self._queue):
            if self.held >= self._rule.places_max:
                return
            if self._held[one.caller] < self._share and not one.called.done():
                self._take(one.caller)
                self._queue.remove(one)
                one.called.set_result(None)

    def _refusal(self, caller: Caller) -> Overloaded:
        rule, mine = self._rule, self._held[caller]
        if mine >= self._share and self.held < rule.places_max:
            message = f"this caller has {mine} {rule.what} at once, its share of {rule.places_max}"
            setting = f"limits.{rule.setting}, limits.caller_share_max"
        else:
            message = f"{self.held} {rule.what} run already"
            setting = f"limits.{rule.setting}"
        if self._queue:
            message += f", and {len(self._queue)} wait"
        return Overloaded(
            message,
            reason=rule.reason,
            hint=f"retry after a moment ({setting})",
            retry_seconds=self._retry_seconds(),
        )

    def _retry_seconds(self) -> float:
        """Return when a place should be free for one more, as they were held lately."""
        if not self._count:
            return self._rule.retry_seconds
        each = self._seconds / self._count
        # One comes back every so often; those in line have the first of them.
        wait = each * (len(self._queue) + 1) / max(1, self.held)
        return min(_RETRY_SECONDS_MAX, max(self._rule.retry_seconds_min, wait))
