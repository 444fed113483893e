# SPDX-License-Identifier: Apache-2.0
"""Keeps this server's view of the registry fresh, and tells others here that something happened.

In: a poll interval, and a word after each local act. Out: every record once, in order, to one
listener; a wake-up for whoever waits beyond a log position. Watchers keep their own position, so
none can fall behind. Outlives every failure of the store.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from tabard_registry import AppliedRecord, Registry, RegistryError
from tabard_registry.release.history import MOVES
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads

_JITTER = 0.2
_RECORDS_AT_ONCE = 1_000
_REACH_SECONDS = 0.1
_SAID_AGAIN_SECONDS = 60.0
# Polls, and telling others of what came, never wait for the threads of acts.
_LATE_POLLS = 3.0
"""A store that answers is never heard of later than after so many polls."""
_THREADS_MAX = 2


class Follower:
    """Polls the registry on the asyncio thread, with the I/O in worker threads of its own."""

    def __init__(
        self,
        registry: Registry,
        *,
        poll_seconds: float,
        on_records: Callable[[Sequence[AppliedRecord]], None],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Take the listener; it is called on the asyncio thread and must not wait."""
        self._registry = registry
        self._poll_seconds = poll_seconds
        self._on_records = on_records
        self._metrics = metrics
        self._clock = clock
        self._rng = rng or random.Random()
        self._threads = Threads("follow", threads_max=_THREADS_MAX)
        self._delivered_seq = registry.seq
        self._delivering = asyncio.Lock()
        self._answered_at = clock()
        self._polled_at = clock()
        self._reaching = asyncio.Lock()
        self._said_at: float | None = None
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def lag_seconds(self) -> float:
        """Seconds since the registry last answered."""
        return self._clock() - self._answered_at

    @property
    def is_closed(self) -> bool:
        """Whether nothing is followed any more."""
        return self._closed.is_set()

    def close(self) -> None:
        """Let everybody who waits go. Idempotent."""
        self._closed.set()
        self._announce()

    async def wait_beyond(self, seq: int) -> None:
        """Wait until the snapshot is beyond a position, or the follower is closed."""
        while self._registry.seq <= seq and not self.is_closed:
            await self._changed.wait()

    async def catch_up(self) -> None:
        """Tell the listener of all that the snapshot holds: this server just acted.

        Asks the store for nothing, so it is quick even when the store is not. Never raises.
        """
        try:
            async with self._delivering:
                while self._delivered_seq < self._registry.seq:
                    await self._deliver()
        except Exception as error:
            # The outermost loop of what follows a record: the next poll tries again.
            self._note_failure(error, event="registry.records_not_handled")

    async def reach(self, seq: int) -> None:
        """Read on, if the snapshot is before a position that somebody has seen. Never raises.

        However many ask, the store is asked by one of them at a time, once for all who came before,
        and not more than ten times a second; one that does not answer, or a position that is none,
        leaves things as they are.
        """
        asked_at = self._clock()
        async with self._reaching:
            if self._registry.seq >= seq or self._polled_at >= asked_at or self.is_closed:
                return
            await asyncio.sleep(max(0.0, self._polled_at + _REACH_SECONDS - self._clock()))
            await self._poll()

    async def read_on(self) -> bool:
        """Read what is new, as `reach` does; say whether there was anything.

        A store that did not answer lately is not asked: who asks for what is not there would wait
        for it.
        """
        if self.lag_seconds > _LATE_POLLS * self._poll_seconds:
            return False
        seq = self._registry.seq
        await self.reach(seq + 1)
        return self._registry.seq > seq

    async def run(self) -> None:
        """Follow the registry until closed."""
        while not self.is_closed:
            await self._poll()
            pause = self._poll_seconds * (1 + self._rng.uniform(-_JITTER, _JITTER))
            try:
                async with asyncio.timeout(pause):
                    await self._closed.wait()
            except TimeoutError:
                continue
        self._threads.close()

    async def _poll(self) -> None:
        self._polled_at = self._clock()
        try:
            await self._threads.run(self._registry.refresh)
        except Exception as error:
            # The outermost loop of this task: a server that stopped following would serve what
            # others have withdrawn.
            self._note_outage(error)
        else:
            self._note_answer()
        await self.catch_up()

    def _note_outage(self, error: Exception) -> None:
        """Say that an outage begins, and now and then that it goes on."""
        now = self._clock()
        is_news = self._said_at is None or now - self._said_at >= _SAID_AGAIN_SECONDS
        self._said_at = now if is_news else self._said_at
        self._note_failure(error, event="registry.unreachable", is_said=is_news)

    def _note_answer(self) -> None:
        seconds = self.lag_seconds
        self._answered_at = self._clock()
        if self._said_at is not None:
            self._said_at = None
            log_event("registry.answers_again", seconds=seconds)

    async def _deliver(self) -> None:
        records = await self._threads.run(
            self._registry.since, self._delivered_seq, limit=_RECORDS_AT_ONCE
        )
        # Even when the listener fails on them: a second time it would fail again, for ever.
        self._delivered_seq = records[-1].seq
        self._count(records)
        self._announce()
        self._on_records(records)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _count(self, records: Sequence[AppliedRecord]) -> None:
        for applied in records:
            for action, effect in zip(applied.record.actions, applied.effects, strict=True):
                if effect.effective and action.type in MOVES:
                    self._metrics.channel_moves.labels(action=action.type).inc()

    def _note_failure(self, error: Exception, *, event: str, is_said: bool = True) -> None:
        is_known = isinstance(error, RegistryError)
        reason = error.reason if isinstance(error, RegistryError) else "INTERNAL"
        self._metrics.failures.labels(reason=reason).inc()
        if is_said:
            log_problem(event, error=None if is_known else error, reason=reason, message=str(error))
