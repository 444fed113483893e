# SPDX-License-Identifier: Apache-2.0
"""Checkpoints are kept when it is time, one at a time; a failure is never more than that."""

import asyncio
import threading
from typing import Any

from tabard_registry import Registry, StoreUnavailable
from tabard_server.followers.checkpointing import Checkpointer
from tabard_server.telemetry.metrics import Metrics
from tests.registry.fakes import MemoryStore
from tests.server.followers.written_records import act
from tests.server.harness import until


def count(metrics: Metrics, outcome: str) -> float | None:
    """Return how many checkpoints came to this."""
    return metrics.registry.get_sample_value(
        "tabard_registry_checkpoints_total", {"outcome": outcome}
    )


def registry_with(records: int, store: MemoryStore | None = None) -> Registry:
    """Open a registry of so many records."""
    registry = Registry.open(store or MemoryStore())
    for number in range(records):
        act(registry, flag=number % 2 == 0)
    return registry


def test_checkpoint_is_kept_when_due() -> None:
    """Not after two records, but after three; and then not again."""

    async def walk() -> None:
        registry, metrics = registry_with(2), Metrics()
        checkpointer = Checkpointer(registry, records_min=3, metrics=metrics)
        checkpointer.review()
        assert checkpointer._writing is None
        act(registry, flag=True)
        checkpointer.review()
        await until(lambda: count(metrics, "written") == 1.0)
        assert registry.records_since_checkpoint == 0
        checkpointer.review()
        assert checkpointer._writing is None
        await checkpointer.close()

    asyncio.run(walk())


def test_zero_means_never() -> None:
    """Checkpoints can be left to `tabard checkpoint`."""

    async def walk() -> None:
        checkpointer = Checkpointer(registry_with(5), records_min=0, metrics=Metrics())
        checkpointer.review()
        assert checkpointer._writing is None
        await checkpointer.close()

    asyncio.run(walk())


def test_one_checkpoint_at_a_time() -> None:
    """However often it is time, one is being written; closing waits for it."""
    may_end = threading.Event()

    class Slow(MemoryStore):
        puts = 0

        def put(self, key: str, *, chunks: Any) -> None:
            assert may_end.wait(30)
            self.puts += key.startswith("checkpoint/")
            super().put(key, chunks=chunks)

    async def walk() -> None:
        store, metrics = Slow(), Metrics()
        checkpointer = Checkpointer(registry_with(3, store), records_min=1, metrics=metrics)
        for _ in range(5):
            checkpointer.review()
        may_end.set()
        await checkpointer.close()
        assert (store.puts, count(metrics, "written")) == (1, 1.0)

    asyncio.run(walk())


def test_failure_is_counted_and_tried_later() -> None:
    """A store that does not take it is asked again after a while, not at once."""

    class Full(MemoryStore):
        is_full = True

        def put(self, key: str, *, chunks: Any) -> None:
            if self.is_full:
                raise StoreUnavailable("full", reason="STORE_UNAVAILABLE", hint="make room")
            super().put(key, chunks=chunks)

    async def walk() -> None:
        store, metrics, now = Full(), Metrics(), [0.0]
        registry = registry_with(3, store)
        checkpointer = Checkpointer(registry, records_min=1, metrics=metrics, clock=lambda: now[0])
        checkpointer.review()
        await until(lambda: count(metrics, "failed") == 1.0)
        await until(lambda: checkpointer._writing is None)
        store.is_full = False
        checkpointer.review()
        assert checkpointer._writing is None
        now[0] = 100.0
        checkpointer.review()
        await until(lambda: count(metrics, "written") == 1.0)
        await checkpointer.close()

    asyncio.run(walk())
