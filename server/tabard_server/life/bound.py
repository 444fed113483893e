# SPDX-License-Identifier: Apache-2.0
"""One bound for all that a stopping server waits for, which a second signal brings nearer.

In: things to wait for, one after another. Out: whether each came, and the names of those that did
not. Whatever one of them does or raises, the next one has its turn.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from tabard_server.telemetry.logs import log_problem

HURRIED_SECONDS = 1.0
"""What is left of the bound after a second signal."""


class Bound:
    """The time that a stop may take, used with `async with`. Asyncio thread.

    Attributes:
        abandoned: What did not come in time, in order.
    """

    def __init__(
        self, *, jobs_seconds: float, rest_seconds: float, hurry: asyncio.Event | None = None
    ) -> None:
        """Take how long jobs may go on, and what everything else may take after them.

        Once `hurry` is set, jobs have no time left, and the rest has `HURRIED_SECONDS`.
        """
        self._clock = asyncio.get_running_loop().time
        self._rest_seconds = rest_seconds
        self._jobs_until = self._clock() + jobs_seconds
        self._until = self._jobs_until + rest_seconds
        self._waiting: tuple[asyncio.Timeout, Callable[[], float]] | None = None
        self._hurry = hurry or asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self.abandoned: list[str] = []

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen(), name="tabard-hurry")
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._listening is not None:
            self._listening.cancel()

    @property
    def seconds_left(self) -> float:
        """Seconds until it is reached; 0 beyond it."""
        return max(0.0, self._until - self._clock())

    async def wait_for_jobs(self, jobs: Awaitable[object]) -> None:
        """Wait until they are over, or their time is."""
        await self._wait(jobs, until=lambda: self._jobs_until)
        self._until = min(self._until, self._clock() + self._rest_seconds)

    async def wait(self, name: str, thing: Awaitable[object], *, share: float = 1.0) -> None:
        """Wait for something, for at most a share of what is left of the bound.

        Args:
            name: What it is, for the log.
            thing: What to wait for.
            share: Above 0, at most 1; the rest is for what follows.
        """
        begun_at = self._clock()
        try:
            is_there = await self._wait(
                thing, until=lambda: self._clock() + share * self.seconds_left
            )
        except Exception as error:
            # A stop comes to its end whatever fails on the way.
            log_problem("stop.failed", error=error, what=name)
            return
        if not is_there:
            self.abandoned.append(name)
            log_problem("stop.abandoned", what=name, seconds=self._clock() - begun_at)

    async def _listen(self) -> None:
        await self._hurry.wait()
        now = self._clock()
        self._jobs_until = min(self._jobs_until, now)
        self._until = min(self._until, now + HURRIED_SECONDS)
        if self._waiting is not None:
            timeout, until = self._waiting
            if not timeout.expired():
                timeout.reschedule(until())

    async def _wait(self, thing: Awaitable[object], *, until: Callable[[], float]) -> bool:
        try:
            async with asyncio.timeout_at(until()) as timeout:
                self._waiting = (timeout, until)
                await thing
        except TimeoutError:
            if not timeout.expired():
                raise
            return False
        finally:
            self._waiting = None
        return True
