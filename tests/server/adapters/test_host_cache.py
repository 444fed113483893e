# SPDX-License-Identifier: Apache-2.0
"""The host tier: one load for many callers, leases that hold, eviction that respects them."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from tabard_server.adapters.host_cache import HostCache
from tabard_server.errors import Overloaded
from tabard_server.telemetry.metrics import Metrics
from tests.server.adapters.sized_adapters import SizedLoader


@asynccontextmanager
async def caching(loader: SizedLoader, *, bytes_max: int = 100) -> AsyncIterator[HostCache]:
    """Give a cache with two loading threads."""
    with ThreadPoolExecutor(max_workers=2) as executor:
        yield HostCache(load=loader, bytes_max=bytes_max, executor=executor, metrics=Metrics())


def test_many_callers_share_one_load() -> None:
    """Ten callers of one digest cause one load and hold ten leases."""

    async def walk() -> None:
        loader = SizedLoader()
        async with caching(loader) as cache:
            leases = await asyncio.gather(*(cache.acquire("a") for _ in range(10)))

            assert loader.loads == ["a"]
            assert cache.residents()[0].leases == 10
            assert len({id(lease.adapter) for lease in leases}) == 1

    asyncio.run(walk())


def test_quitter_does_not_stop_the_load() -> None:
    """A caller that is cancelled leaves the load to those who wait on."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader) as cache:
            quitter = asyncio.ensure_future(cache.acquire("a"))
            stayer = asyncio.ensure_future(cache.acquire("a"))
            await asyncio.sleep(0)
            quitter.cancel()
            await asyncio.gather(quitter, return_exceptions=True)
            loader.gate.set()
            lease = await stayer

            assert lease.adapter.name == "a"
            assert cache.residents()[0].leases == 1

    asyncio.run(walk())


def test_failed_load_is_tried_again() -> None:
    """All who waited hear of the failure; the next caller loads anew."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.errors = [OSError("disk")]
        async with caching(loader) as cache:
            outcomes = await asyncio.gather(
                cache.acquire("a"), cache.acquire("a"), return_exceptions=True
            )
            lease = await cache.acquire("a")

            assert all(isinstance(outcome, OSError) for outcome in outcomes)
            assert lease.adapter.name == "a"

    asyncio.run(walk())


def test_leased_adapters_are_never_evicted() -> None:
    """When everything is held, a newcomer is refused and nobody loses anything."""

    async def walk() -> None:
        async with caching(SizedLoader(), bytes_max=20) as cache:
            held = [await cache.acquire(name) for name in "ab"]
            with pytest.raises(Overloaded) as refusal:
                await cache.acquire("c")
            held[0].release()
            await cache.acquire("c")

            assert refusal.value.reason == "HOST_MEMORY_FULL"
            assert {use.digest for use in cache.residents()} == {"b", "c"}

    asyncio.run(walk())


def test_oldest_idle_is_evicted_first() -> None:
    """Use counts, not the order of loading."""

    async def walk() -> set[str]:
        async with caching(SizedLoader(), bytes_max=20) as cache:
            for name in ("a", "b", "a", "c"):
                (await cache.acquire(name)).release()
            return {use.digest for use in cache.residents()}

    assert asyncio.run(walk()) == {"a", "c"}


def test_favoured_are_evicted_last() -> None:
    """What a rollback returns to outlives what was used later."""

    async def walk() -> set[str]:
        async with caching(SizedLoader(), bytes_max=20) as cache:
            cache.favour(frozenset({"a"}))
            for name in ("a", "b", "c"):
                (await cache.acquire(name)).release()
            return {use.digest for use in cache.residents()}

    assert asyncio.run(walk()) == {"a", "c"}


def test_lease_is_released_once() -> None:
    """Releasing twice, or leaving a `with` after it, gives one lease back."""

    async def walk() -> None:
        async with caching(SizedLoader()) as cache:
            other = await cache.acquire("a")
            with await cache.acquire("a") as lease:
                lease.release()

            assert cache.residents()[0].leases == 1
            other.release()

    asyncio.run(walk())


def test_hits_and_loads_are_counted() -> None:
    """A first acquire is a load, a second one a hit."""

    async def walk() -> None:
        metrics = Metrics()
        with ThreadPoolExecutor() as executor:
            cache = HostCache(load=SizedLoader(), bytes_max=100, executor=executor, metrics=metrics)
            for _ in range(3):
                (await cache.acquire("a")).release()

        value = metrics.registry.get_sample_value
        assert value("tabard_adapter_loads_total", {"tier": "host"}) == 1
        assert value("tabard_adapter_cache_hits_total", {"tier": "host"}) == 2
        assert value("tabard_adapter_resident_bytes", {"tier": "host"}) == 10

    asyncio.run(walk())


def test_dropped_adapter_goes_when_idle() -> None:
    """Nobody's is gone at once, a held one with its last lease."""

    async def walk() -> None:
        async with caching(SizedLoader()) as cache:
            (await cache.acquire("idle")).release()
            held = await cache.acquire("held")

            cache.drop("idle")
            cache.drop("held")
            cache.drop("never seen")

            assert [use.digest for use in cache.residents()] == ["held"]
            held.release()
            assert cache.residents() == ()
            assert cache.resident_bytes == 0

    asyncio.run(walk())


def test_dropped_load_is_not_kept() -> None:
    """What is dropped while it loads is for those who waited, and for nobody else."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader) as cache:
            waiting = asyncio.ensure_future(cache.acquire("a"))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.sleep(0)
            load = cache._loads["a"]
            cache.drop("a")
            loader.gate.set()
            await load
            assert cache.residents() == ()

    asyncio.run(walk())


def test_second_load_meets_the_kept_one() -> None:
    """Who waited for a dropped load may keep it while another load is on its way."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader) as cache:
            waiting = asyncio.ensure_future(cache.acquire("a"))
            await asyncio.sleep(0)
            load = cache._loads["a"]
            cache.drop("a")
            loader.gate.set()
            await load
            second = await cache.acquire("a")
            first = await waiting

            assert [(use.digest, use.leases) for use in cache.residents()] == [("a", 2)]
            assert cache.resident_bytes == 10
            first.release()
            second.release()

    asyncio.run(walk())


def test_leased_again_is_kept() -> None:
    """After a lift somebody wears it again: it stays."""

    async def walk() -> None:
        async with caching(SizedLoader()) as cache:
            first = await cache.acquire("a")
            cache.drop("a")
            second = await cache.acquire("a")
            first.release()
            second.release()

            assert [use.digest for use in cache.residents()] == ["a"]

    asyncio.run(walk())
