# SPDX-License-Identifier: Apache-2.0
"""Keeps this server's view of the registry fresh, and tells watchers that something happened.

In: a poll interval, and pokes after local acts. Out: a wake-up for whoever waits beyond a log
position; records to one listener. Watchers keep their own position, so none can fall behind.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from livery_registry import AppliedRecord, Registry, RegistryError
from livery_server.log import log_problem
from livery_server.metrics import Metrics

_MOVES = ("promote", "rollback")


class Follower:
    """Polls the registry on the asyncio thread, with the I/O in a worker thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        poll_seconds: float,
        on_records: Callable[[Sequence[AppliedRecord]], None],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._poll_seconds = poll_seconds
        self._on_records = on_records
        self._metrics = metrics
        self._clock = clock
        self._answered_at = clock()
        self._poked = asyncio.Event()
        self._changed = asyncio.Event()
        self.is_closed = False

    @property
    def lag_seconds(self) -> float:
        """Seconds since the registry last answered."""
        return self._clock() - self._answered_at

    def poke(self) -> None:
        """Wake watchers and look at the registry now: this server just acted."""
        self._announce()
        self._poked.set()

    def close(self) -> None:
        """Let everybody who waits go. Idempotent."""
        self.is_closed = True
        self._announce()
        self._poked.set()

    async def wait_beyond(self, seq: int) -> None:
        """Wait until the snapshot is beyond a position, or the follower is closed."""
        while self._registry.seq <= seq and not self.is_closed:
            await self._changed.wait()

    async def run(self) -> None:
        """Follow the registry until closed; outlives every failure of the store."""
        while not self.is_closed:
            await self._poll()
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._poked.wait()
            except TimeoutError:
                continue
            self._poked.clear()

    async def _poll(self) -> None:
        try:
            records = await asyncio.to_thread(self._registry.refresh)
        except RegistryError as error:
            self._metrics.failures.labels(reason=error.reason).inc()
            log_problem("registry.unreachable", reason=error.reason, message=str(error))
            return
        self._answered_at = self._clock()
        if records:
            self._count(records)
            self._announce()
            self._on_records(records)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _count(self, records: Sequence[AppliedRecord]) -> None:
        for applied in records:
            for action, effect in zip(applied.record.actions, applied.effects, strict=True):
                if effect.effective and action.type in _MOVES:
                    self._metrics.channel_moves.labels(action=action.type).inc()
