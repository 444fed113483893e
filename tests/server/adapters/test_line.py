# SPDX-License-Identifier: Apache-2.0
"""Stacks that wait for host memory: many of them cost no more than few."""

import asyncio

from tabard_server.adapters.host_cache import HostCache
from tabard_server.adapters.host_memory import HostMemory, Lease
from tabard_server.adapters.line import Line, Place
from tabard_server.scheduler.claims import UNSAID, Weights
from tabard_server.telemetry.metrics import Metrics
from tests.server.adapters.sized_adapters import SizedAdapter, SizedLoader, caching


def ask(cache: HostCache, digest: str) -> "asyncio.Task[Lease]":
    """Stand in line for an adapter, with one image."""
    return asyncio.create_task(cache.acquire([digest], rows=1))


async def pause() -> None:
    """Let everything happen that can happen without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_line_knows_who_wants_what() -> None:
    """In the order of their coming; and memory, what of it is not there."""
    memory = HostMemory(bytes_max=20, metrics=Metrics())
    line = Line(memory)
    places = [
        Place(
            digests=tuple(digests),
            rows=1,
            claim=UNSAID,
            key=line.next_key(),
            on_lease=lambda _lease: None,
            on_failure=lambda _error: None,
        )
        for digests in ("ab", "b", "a")
    ]
    for place in places:
        line.enter(place)

    assert line.wanting("b") == places[:2]
    assert (memory.lacks_any, {*memory.wanted}) == (True, {"a", "b"})
    for digest in "ab":
        memory.put(SizedAdapter(name=digest), digest=digest)  # type: ignore[arg-type]
    assert not memory.lacks_any
    others, background = line.walks({}, weights=Weights())
    assert (list(others), list(background)) == (places, [])

    for place in places:
        line.leave(place)

    assert (len(line), line.wanting("b"), {*memory.wanted}) == (0, [], set())


def test_full_line_is_looked_at_no_further() -> None:
    """A tenant that may hold no more costs one look, however many of it wait."""

    async def walk() -> None:
        async with caching(SizedLoader(), waiting_rows_max=1) as cache:
            held = await cache.acquire(["a"], rows=1)
            waiting = [ask(cache, "a") for _ in range(500)]
            await pause()
            looks = 0

            def need_of(digests: object) -> int:
                nonlocal looks
                looks += 1
                return 0

            cache._memory.need_of = need_of  # type: ignore[method-assign,assignment]
            waiting[7].cancel()
            await pause()
            assert looks == 0

            held.begin_row()
            await pause()
            assert sum(one.done() and not one.cancelled() for one in waiting) == 1
            assert looks < 5
            for one in waiting:
                one.cancel()

    asyncio.run(walk())


def test_many_returns_move_the_line_up_once() -> None:
    """Whatever is given back before the line gets its turn counts in that turn."""

    async def walk() -> None:
        async with caching(SizedLoader(), bytes_max=10) as cache:
            held = [await cache.acquire(["a"]) for _ in range(50)]
            waiting = ask(cache, "b")
            await pause()
            moves = 0
            move_up = cache._move_up

            def count() -> None:
                nonlocal moves
                moves += 1
                move_up()

            cache._move_up = count  # type: ignore[method-assign]
            for lease in held:
                lease.release()
            await waiting

            # One for what was given back, one for what was loaded then.
            assert moves <= 3

    asyncio.run(walk())


def test_evicted_adapter_is_lacking_again() -> None:
    """Whoever waits for what went has it loaded."""

    async def walk() -> None:
        loader = SizedLoader()
        async with caching(loader, bytes_max=10) as cache:
            (await cache.acquire(["a"])).release()
            held = await cache.acquire(["b"])
            waiting = ask(cache, "a")
            await pause()
            assert not waiting.done()

            held.release()
            await waiting

            assert loader.loads == ["a", "b", "a"]

    asyncio.run(walk())
