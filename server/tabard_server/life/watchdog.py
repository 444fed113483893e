# SPDX-License-Identifier: Apache-2.0
"""Looks at the engine's thread and at the age of what the server knows, and says what it sees.

In: a pulse, the registry's lag, and their bounds. Out: states entered and left. Runs on the asyncio
thread, which goes on when the engine's does not.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from tabard_server.life.readiness import Readiness, State
from tabard_server.settings import Settings


class Worker(Protocol):
    """A thread that is watched."""

    @property
    def is_dead(self) -> bool:
        """Whether it is over."""

    @property
    def silent_seconds(self) -> float:
        """Seconds since it was heard of; 0 while it has nothing to do."""


class Watchdog:
    """Watches until closed. Asyncio thread."""

    def __init__(
        self,
        readiness: Readiness,
        *,
        engine: Worker,
        lag_seconds: Callable[[], float],
        settings: Settings,
    ) -> None:
        """Take what is watched."""
        self._readiness = readiness
        self._engine = engine
        self._lag_seconds = lag_seconds
        self._settings = settings
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Watch no longer. Idempotent."""
        self._closed.set()

    async def run(self) -> None:
        """Look again and again until closed."""
        while not self._closed.is_set():
            self.look()
            try:
                async with asyncio.timeout(self._settings.watchdog_seconds):
                    await self._closed.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Note what is so now."""
        self._look_at_engine()
        self._look_at_registry()

    def _look_at_engine(self) -> None:
        silent, most = self._engine.silent_seconds, self._settings.engine_stall_seconds_max
        if self._engine.is_dead:
            self._readiness.enter(State.STALLED, "the engine's thread has died")
        elif silent > most:
            self._readiness.enter(
                State.STALLED,
                f"the engine is not heard of for more than {most:g} s "
                "(engine_stall_seconds_max), though it has work",
                lasted_seconds=silent,
            )
        else:
            self._readiness.leave(State.STALLED)

    def _look_at_registry(self) -> None:
        most, lag = self._settings.staleness_seconds_max, self._lag_seconds()
        is_refusing = self._settings.when_stale == "refuse"
        state = State.STALE if is_refusing else State.DEGRADED
        if most is not None and lag > most:
            self._readiness.enter(
                state,
                f"the registry is not heard of for more than {most:g} s (staleness_seconds_max), "
                "and may have withdrawn what is served here",
                lasted_seconds=lag,
            )
        else:
            self._readiness.leave(state)
