# SPDX-License-Identifier: Apache-2.0
"""Following the registry: every record once, whatever fails; no poll for what was done here."""

import asyncio
import logging
import random
from collections.abc import Sequence

import pytest

from tabard_registry import AppliedRecord, Registry, StoreUnavailable
from tabard_server.followers.follower import Follower
from tabard_server.telemetry.metrics import Metrics
from tests.registry.fakes import MemoryStore
from tests.server.followers.written_records import act
from tests.server.harness import until
from tests.server.telemetry.logged import logged

LONG_SECONDS = 600.0


class Ear:
    """Hears records, and can fail on them."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.errors: list[Exception] = []

    def __call__(self, records: Sequence[AppliedRecord]) -> None:
        self.heard += [one.seq for one in records]
        if self.errors:
            raise self.errors.pop(0)


class Brittle(MemoryStore):
    """Cannot be read while it is out."""

    is_out = False

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        if self.is_out:
            raise StoreUnavailable("out", reason="STORE_UNAVAILABLE", hint="wait")
        return super().read(key, bytes_max=bytes_max)


def following(registry: Registry, ear: Ear, *, poll_seconds: float = 0.01) -> Follower:
    """Make a follower."""
    return Follower(registry, poll_seconds=poll_seconds, on_records=ear, metrics=Metrics())


def test_every_record_comes_once() -> None:
    """Others' records by polling, own ones at once, in order and never twice."""

    async def walk() -> None:
        store, ear = MemoryStore(), Ear()
        mine, other = Registry.open(store), Registry.open(store)
        follower = following(mine, ear)
        task = asyncio.create_task(follower.run())
        for number in range(10):
            act(other if number % 3 else mine, flag=number % 2 == 0)
            other.refresh()
            await follower.catch_up()
        await until(lambda: len(ear.heard) == 10)
        follower.close()
        await task
        assert ear.heard == list(range(1, 11))

    asyncio.run(walk())


def test_own_act_needs_no_store() -> None:
    """What this server did is told although the store cannot be read any more."""

    async def walk() -> None:
        store, ear = Brittle(), Ear()
        registry = Registry.open(store)
        follower = following(registry, ear, poll_seconds=LONG_SECONDS)
        act(registry, flag=True)
        store.is_out = True
        await follower.catch_up()
        assert ear.heard == [1]

    asyncio.run(walk())


def test_outage_is_outlived() -> None:
    """While the store is out the lag grows; afterwards nothing is missed."""

    async def walk() -> None:
        store, ear, now = Brittle(), Ear(), [0.0]
        mine, other = Registry.open(store), Registry.open(store)
        metrics = Metrics()
        follower = Follower(
            mine, poll_seconds=0.01, on_records=ear, metrics=metrics, clock=lambda: now[0]
        )
        act(other, flag=True)
        store.is_out = True
        task = asyncio.create_task(follower.run())
        labels = {"reason": "STORE_UNAVAILABLE"}
        value = metrics.registry.get_sample_value
        await until(lambda: (value("tabard_failures_total", labels) or 0) >= 2)
        now[0] = 40.0
        assert follower.lag_seconds == 40.0
        store.is_out = False
        await until(lambda: ear.heard == [1])
        assert follower.lag_seconds == 0.0
        follower.close()
        await task

    asyncio.run(walk())


def test_failing_listener_stops_nothing() -> None:
    """A bug in who listens is counted, and the next record is told all the same."""

    async def walk() -> None:
        store, ear = MemoryStore(), Ear()
        ear.errors = [KeyError("a bug")]
        registry = Registry.open(store)
        metrics = Metrics()
        follower = Follower(registry, poll_seconds=0.01, on_records=ear, metrics=metrics)
        task = asyncio.create_task(follower.run())
        act(registry, flag=True)
        await until(lambda: ear.heard == [1])
        act(registry, flag=False)
        await until(lambda: ear.heard == [1, 2])
        follower.close()
        await task
        value = metrics.registry.get_sample_value
        assert value("tabard_failures_total", {"reason": "INTERNAL"}) == 1.0

    asyncio.run(walk())


def test_polls_are_jittered() -> None:
    """Servers that were started together do not ask together for ever."""

    class Counting(random.Random):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[tuple[float, float]] = []

        def uniform(self, a: float, b: float) -> float:
            self.asked.append((a, b))
            return -0.999

    async def walk() -> None:
        registry, rng = Registry.open(MemoryStore()), Counting()
        follower = Follower(
            registry, poll_seconds=1.0, on_records=Ear(), metrics=Metrics(), rng=rng
        )
        task = asyncio.create_task(follower.run())
        await until(lambda: len(rng.asked) > 3)
        follower.close()
        await task
        assert set(rng.asked) == {(-0.2, 0.2)}

    asyncio.run(walk())


def test_outage_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Not at every poll; and its end is told."""
    caplog.set_level(logging.INFO, logger="tabard")

    async def walk() -> None:
        store, now = Brittle(), [0.0]
        follower = Follower(
            Registry.open(store),
            poll_seconds=LONG_SECONDS,
            on_records=Ear(),
            metrics=Metrics(),
            clock=lambda: now[0],
        )
        store.is_out = True
        for now[0] in (1.0, 2.0, 30.0, 61.5, 70.0):
            await follower._poll()
        store.is_out = False
        for now[0] in (71.0, 72.0):
            await follower._poll()
        follower.close()
        await follower.run()

    asyncio.run(walk())

    assert len(logged(caplog, "registry.unreachable")) == 2
    [again] = logged(caplog, "registry.answers_again")
    assert again["seconds"] == 71.0
