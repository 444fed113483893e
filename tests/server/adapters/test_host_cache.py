# SPDX-License-Identifier: Apache-2.0
"""The line in front of host memory: order, one load for many, room that is waited for."""

import asyncio
from random import Random
from typing import Any

import pytest

from tabard_server.adapters.host_cache import HostCache
from tabard_server.adapters.host_memory import Lease
from tabard_server.errors import TooLarge
from tabard_server.telemetry.metrics import Metrics
from tests.server.adapters.sized_adapters import SizedLoader, caching
from tests.server.harness import until


def ask(cache: HostCache, names: str, *, rows: int = 1) -> "asyncio.Task[Lease]":
    """Stand in line for a stack of one-letter adapters."""
    return asyncio.create_task(cache.acquire(list(names), rows=rows))


async def pause() -> None:
    """Let everything happen that can happen without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def leases_in(cache: HostCache) -> dict[str, int]:
    """Return how often each adapter is held."""
    return {one.digest: one.leases for one in cache.residents()}


def test_many_callers_share_one_load() -> None:
    """Ten callers of one digest cause one load and hold ten leases."""

    async def walk() -> None:
        loader = SizedLoader()
        async with caching(loader) as cache:
            leases = await asyncio.gather(*(cache.acquire(["a"]) for _ in range(10)))

            assert loader.loads == ["a"]
            assert leases_in(cache) == {"a": 10}
            assert len({id(lease.adapters[0]) for lease in leases}) == 1

    asyncio.run(walk())


def test_quitter_does_not_stop_the_load() -> None:
    """A caller that is cancelled leaves the load to those who wait on."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader) as cache:
            quitter, stayer = ask(cache, "a"), ask(cache, "a")
            await pause()
            quitter.cancel()
            await asyncio.gather(quitter, return_exceptions=True)
            loader.gate.set()
            await stayer

            assert leases_in(cache) == {"a": 1}

    asyncio.run(walk())


def test_failed_load_is_tried_again() -> None:
    """All who waited hear of the failure; the next caller loads anew."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.errors = [OSError("disk")]
        async with caching(loader) as cache:
            outcomes = await asyncio.gather(
                cache.acquire(["a"]), cache.acquire(["a"]), return_exceptions=True
            )
            lease = await cache.acquire(["a"])

            assert all(isinstance(outcome, OSError) for outcome in outcomes)
            assert len(lease.adapters) == 1
            assert cache.line_length == 0

    asyncio.run(walk())


def test_full_memory_is_waited_for() -> None:
    """When everything is held a newcomer waits, and is served when something goes back."""

    async def walk() -> None:
        async with caching(SizedLoader(), bytes_max=20) as cache:
            held = [await cache.acquire([name]) for name in "ab"]
            newcomer = ask(cache, "c")
            await until(lambda: cache.line_length == 1)
            await pause()
            assert not newcomer.done()
            held[0].release()
            await newcomer

            assert leases_in(cache) == {"b": 1, "c": 1}

    asyncio.run(walk())


def test_two_halves_never_wait_for_each_other() -> None:
    """Two stacks that each fill memory are worn one after the other, whatever was loaded first."""

    async def walk() -> None:
        loader = SizedLoader()
        async with caching(loader, bytes_max=40) as cache:
            for name in "acbd":
                await cache.load(name)
            first, second = ask(cache, "abx"), ask(cache, "cdy")
            (await first).release()
            (await second).release()

            assert set(leases_in(cache).values()) == {0}
            assert cache.resident_bytes <= 40

    asyncio.run(walk())


def test_slow_load_delays_only_its_own() -> None:
    """Who waits for a load is passed by any number of times; he is not waiting for room."""

    async def walk() -> None:
        loader = SizedLoader()
        gate = loader.hold("z")
        async with caching(loader, bytes_max=1000, overtakes_max=1) as cache:
            slow = ask(cache, "z")
            for name in "abcdefgh":
                await cache.acquire([name])
            assert not slow.done()
            gate.set()
            await slow

    asyncio.run(walk())


def test_large_stack_is_passed_by_a_bounded_number() -> None:
    """Small ones that never pause cannot keep a large one out for ever."""

    async def walk() -> None:
        loader = SizedLoader({"L": 100})
        async with caching(loader, bytes_max=100, overtakes_max=4) as cache:
            held = [await cache.acquire(["a"])]
            large = ask(cache, "L")
            await until(lambda: "L" in loader.loads and not cache._loads)
            small = [ask(cache, name) for name in "abcdefgh"]
            await until(lambda: sum(task.done() for task in small) == 4)
            await until(lambda: not cache._loads)
            await pause()
            assert [task.done() for task in small] == [True] * 4 + [False] * 4
            held += [task.result() for task in small[:4]]
            for lease in held:
                lease.release()
            (await large).release()
            await asyncio.gather(*small)

    asyncio.run(walk())


def test_stack_larger_than_memory_is_refused() -> None:
    """Once its size is known, and from then on before it stands in line."""

    async def walk() -> None:
        async with caching(SizedLoader({"L": 101})) as cache:
            with pytest.raises(TooLarge) as late:
                await cache.acquire(["L"])
            with pytest.raises(TooLarge) as early:
                cache.require_room(["L"])
            await cache.acquire(["a"])

            assert late.value.reason == early.value.reason == "HOST_MEMORY_TOO_SMALL"
            assert "limits.host_bytes_max" in early.value.hint

    asyncio.run(walk())


def test_waiting_rows_are_bounded() -> None:
    """So many images hold leases before they begin; the next come as these begin, in order."""

    async def walk() -> None:
        async with caching(SizedLoader(), waiting_rows_max=3) as cache:
            (await cache.acquire(["b"])).release()
            first = await cache.acquire(["a"], rows=2)
            second, third = ask(cache, "b", rows=2), ask(cache, "a", rows=1)
            await pause()
            assert not (second.done() or third.done())
            first.begin_row()
            await second
            assert not third.done()
            first.begin_row()
            await third

    asyncio.run(walk())


def test_stack_wider_than_the_bound_goes_alone() -> None:
    """Images beyond the bound are let in when nobody else waits to begin."""

    async def walk() -> None:
        async with caching(SizedLoader(), waiting_rows_max=3) as cache:
            assert await cache.acquire(["a"], rows=5)

    asyncio.run(walk())


def test_oldest_is_loaded_first() -> None:
    """At most so many loads at once, and the next one is for who waits longest."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader, loads_max=1) as cache:
            tasks = [ask(cache, name) for name in "abc"]
            await pause()
            asked = asyncio.create_task(cache.load("o"))
            await pause()
            loader.gate.set()
            await asyncio.gather(asked, *tasks)

            assert loader.loads == ["a", "o", "b", "c"]

    asyncio.run(walk())


def test_load_leases_nothing_and_waits_for_no_room() -> None:
    """An operator's load succeeds while everything is held; it is just not kept."""

    async def walk() -> None:
        async with caching(SizedLoader(), bytes_max=10) as cache:
            held = await cache.acquire(["a"])
            await cache.load("b")
            assert leases_in(cache) == {"a": 1}
            held.release()
            await cache.load("b")
            await cache.load("b")
            assert leases_in(cache) == {"b": 0}

    asyncio.run(walk())


def test_failed_load_is_told_who_asked() -> None:
    """Each who asked hears of it, and the next one loads anew."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.errors = [OSError("disk")]
        async with caching(loader) as cache:
            told = await asyncio.gather(cache.load("a"), cache.load("a"), return_exceptions=True)
            await cache.load("a")
            assert all(isinstance(one, OSError) for one in told)

    asyncio.run(walk())


def test_oldest_idle_is_evicted_first() -> None:
    """Use counts, not the order of loading."""

    async def walk() -> set[str]:
        async with caching(SizedLoader(), bytes_max=20) as cache:
            for name in ("a", "b", "a", "c"):
                (await cache.acquire([name])).release()
            return set(leases_in(cache))

    assert asyncio.run(walk()) == {"a", "c"}


def test_hits_and_loads_are_counted() -> None:
    """A first acquire is a load, a second one a hit."""

    async def walk() -> None:
        metrics = Metrics()
        async with caching(SizedLoader(), metrics=metrics) as cache:
            for _ in range(3):
                (await cache.acquire(["a"])).release()

        value = metrics.registry.get_sample_value
        assert value("tabard_adapter_loads_total", {"tier": "host"}) == 1
        assert value("tabard_adapter_cache_hits_total", {"tier": "host"}) == 2
        assert value("tabard_adapter_resident_bytes", {"tier": "host"}) == 10

    asyncio.run(walk())


def test_dropped_load_is_not_kept() -> None:
    """What is dropped while it loads is for those who wait, and for nobody else."""

    async def walk() -> None:
        loader = SizedLoader()
        loader.gate.clear()
        async with caching(loader) as cache:
            gone, waits = ask(cache, "a"), ask(cache, "b")
            await pause()
            gone.cancel()
            await pause()
            cache.drop("a")
            cache.drop("b")
            loader.gate.set()
            await waits
            await until(lambda: not cache._loads)
            assert leases_in(cache) == {"b": 1}

    asyncio.run(walk())


def test_dropped_adapter_is_loaded_for_who_waits() -> None:
    """One that goes while somebody in line may wear it, after a lift, comes back."""

    async def walk() -> None:
        loader = SizedLoader()
        gate = loader.hold("b")
        async with caching(loader) as cache:
            waits = ask(cache, "ab")
            await until(lambda: "a" in leases_in(cache))
            cache.drop("a")
            gate.set()
            await waits
            assert leases_in(cache) == {"a": 1, "b": 1}

    asyncio.run(walk())


@pytest.mark.parametrize("seed", range(5))
def test_everybody_is_served_in_any_weather(seed: int) -> None:
    """Random stacks, quitters, drops and breaks: all who stay are served, nothing is left held."""

    async def use(cache: HostCache, dice: Random) -> None:
        stack = dice.sample("abcdefghijkl", dice.randint(0, 4))
        task = asyncio.create_task(cache.acquire(stack, rows=dice.randint(1, 6)))
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() * 0.01)
            task.cancel()
        try:
            with await task as lease:
                assert len(lease.adapters) == len(stack)
                for _ in range(dice.randint(0, lease.waiting_rows)):
                    lease.begin_row()
                await asyncio.sleep(dice.random() * 0.002)
                assert cache.resident_bytes <= 60
        except asyncio.CancelledError:
            return

    async def walk() -> None:
        dice = Random(seed)
        sizes = {name: dice.randint(1, 15) for name in "abcdefghijkl"}
        async with caching(SizedLoader(sizes), bytes_max=60) as cache:
            users: list[Any] = []
            for _ in range(150):
                users.append(asyncio.create_task(use(cache, dice)))
                if dice.random() < 0.1:
                    cache.drop(dice.choice("abcdefghijkl"))
                await asyncio.sleep(0)
            async with asyncio.timeout(60):
                await asyncio.gather(*users)
            await until(lambda: not cache._loads)

            assert cache.line_length == 0
            assert (cache._memory.held_bytes, cache._memory.waiting_rows) == (0, 0)

    asyncio.run(walk())
