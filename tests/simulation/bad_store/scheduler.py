# SPDX-License-Identifier: Apache-2.0
"""Actors that take turns: one greenlet each, one queue of events in simulated time, no threads.

Whoever sleeps gives up its turn; the next event is the earliest one. Nothing here is random: what
draws the delays from a seed decides the whole interleaving.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from greenlet import getcurrent, greenlet

EVENTS_MAX = 200_000
"""After so many events a history does not end on its own."""


class Crashed(BaseException):
    """The process of an actor is dead: it unwinds, and no call of it does anything more."""


class Scheduler:
    """Runs events in the order of their times, and of their announcement where times are equal.

    Attributes:
        now: Simulated seconds since the beginning.
        events: How many events were run.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._announced = 0
        self._hub = getcurrent()
        self._is_over = False

    def after(self, seconds: float, event: Callable[[], object]) -> None:
        """Let something happen later."""
        self._announced += 1
        heapq.heappush(self._queue, (self.now + seconds, self._announced, event))

    def spawn(self, actor: Callable[[], None], *, after: float = 0.0) -> None:
        """Start an actor: a function that may `sleep`."""
        self.after(after, greenlet(actor, parent=self._hub).switch)

    def sleep(self, seconds: float) -> None:
        """Give up the turn of the running actor for a time.

        Raises:
            Crashed: The history is over; the actor is only being cleared away.
        """
        if self._is_over:
            raise Crashed
        self.after(seconds, getcurrent().switch)
        self._hub.switch()

    def run(self) -> None:
        """Run until nothing more is going to happen.

        Raises:
            AssertionError: It does not end.
            Exception: An actor raised it.
        """
        try:
            while self._queue:
                self.events += 1
                assert self.events < EVENTS_MAX, "the history does not end"
                self.now, _, event = heapq.heappop(self._queue)
                event()
        except BaseException:
            self._is_over = True
            raise
