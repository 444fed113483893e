# SPDX-License-Identifier: Apache-2.0
"""More adapters than host memory holds: what was accepted waits for its room, and is drawn."""

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tabard_server.adapters.host_adapter import HostAdapter
from tests.server.fakes import FakeEngine, FakeLoader
from tests.server.harness import Request, Server, refs, refusal_of, serving, small_limits, until

ADAPTER_BYTES = 1_000
"""What the fake loader says of every adapter."""


async def stock(server: Server, count: int) -> list[str]:
    """Publish so many styles; return their refs."""
    names = [f"acme/style-{number}" for number in range(count)]
    for name in names:
        await server.publish(name)
    return [f"{name}@1.0.0" for name in names]


def watched(server: Server) -> list[int]:
    """Note the bytes in memory at every load."""
    seen: list[int] = []
    load: Any = server.app.cache._load

    def note(digest: str) -> HostAdapter:
        seen.append(server.app.cache.resident_bytes)
        adapter: HostAdapter = load(digest)
        return adapter

    server.app.cache._load = note
    return seen


def test_two_hundred_cold_adapters_are_all_drawn(tmp_path: Path) -> None:
    """With room for three at a time nobody fails after Accepted, and memory stays in its bound."""

    async def walk() -> None:
        limits = small_limits(host_bytes_max=3 * ADAPTER_BYTES + 1)
        async with serving(tmp_path, limits=limits) as server:
            refs = await stock(server, 200)
            seen = watched(server)
            told = await asyncio.gather(*(server.generate("x", adapters=[ref]) for ref in refs))

            assert {one.kinds[-1] for one in told} == {"done"}
            assert max(seen) <= limits.host_bytes_max
            assert server.app.cache.resident_bytes <= limits.host_bytes_max
            assert all(one.leases == 0 for one in server.app.cache.residents())
            # Nobody waits for what others load, and little is loaded twice.
            assert len(server.loader.loaded) < 2 * len(refs)

    asyncio.run(walk())


def test_large_and_small_stacks_share_tight_memory(tmp_path: Path) -> None:
    """Stacks of one to three that overlap, in memory for three, never wait for each other."""

    async def walk() -> None:
        limits = small_limits(host_bytes_max=3 * ADAPTER_BYTES, overtakes_max=2)
        async with serving(tmp_path, limits=limits) as server:
            refs = await stock(server, 6)
            stacks = [[refs[(i + k) % 6] for k in range(1 + i % 3)] for i in range(60)]
            told = await asyncio.gather(*(server.generate("x", adapters=one) for one in stacks))

            assert {one.kinds[-1] for one in told} == {"done"}

    asyncio.run(walk())


def test_queued_jobs_hold_few_leases(tmp_path: Path) -> None:
    """While the engine is busy, only the next images hold what they wear."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(running_rows_max=1, ready_rows_max=2)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            refs = await stock(server, 12)
            jobs = [asyncio.ensure_future(server.generate("x", adapters=[ref])) for ref in refs]
            await until(lambda: len(server.app.cache.residents()) == 12)
            held = sum(one.leases for one in server.app.cache.residents())
            assert held == 3
            engine.let_go()
            await asyncio.gather(*jobs)

    asyncio.run(walk())


def test_promotion_needs_no_room(tmp_path: Path) -> None:
    """A channel is moved, and rolled back, while jobs hold all of host memory."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(host_bytes_max=ADAPTER_BYTES)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            first, second = await stock(server, 2)
            job = asyncio.ensure_future(server.generate("x", adapters=[first]))
            await until(lambda: engine.open_count == 1)

            move = await server.promote(second)

            assert move.digest
            engine.let_go()
            await job

    asyncio.run(walk())


def test_stack_that_never_fits_is_refused(tmp_path: Path) -> None:
    """By name, as soon as its size is known; from then on before it is accepted."""

    async def walk() -> None:
        limits = small_limits(host_bytes_max=2 * ADAPTER_BYTES)
        async with serving(tmp_path, limits=limits) as server:
            names = await stock(server, 3)
            for accepted in (1, 0):
                call = server.generation.Generate(Request(prompt="x", adapters=refs(*names)))
                refusal, heard = await hear_out(call)
                assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert refusal.reason == "HOST_MEMORY_TOO_SMALL"
                assert refusal.retry_seconds is None
                assert heard == accepted
            assert (await server.generate("x", adapters=names[:2])).kinds[-1] == "done"
            assert server.app.room.depth == 0

    asyncio.run(walk())


def test_cancel_in_line_leaves_nothing(tmp_path: Path) -> None:
    """Who leaves while he waits for room holds no seat, no place and no lease."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(host_bytes_max=ADAPTER_BYTES)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            first, second = await stock(server, 2)
            job = asyncio.ensure_future(server.generate("x", adapters=[first]))
            await until(lambda: engine.open_count == 1)
            calls = [
                server.generation.Generate(Request(prompt="y", adapters=refs(second)))
                for _ in range(3)
            ]
            await until(lambda: server.app.cache.line_length == 3)
            for call in calls:
                call.cancel()
            await until(lambda: server.app.generation.jobs_left == 1)

            assert server.app.cache.line_length == 0
            assert server.app.room.depth == 0
            assert not server.app.generation._places.keys() - {1}
            engine.let_go()
            await job

    asyncio.run(walk())


def test_withdrawal_ends_job_in_line(tmp_path: Path) -> None:
    """A release that is withdrawn ends those who still wait for room, and is loaded no more."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(host_bytes_max=ADAPTER_BYTES)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            first, second = await stock(server, 2)
            job = asyncio.ensure_future(server.generate("x", adapters=[first]))
            await until(lambda: engine.open_count == 1)
            waits = server.begin(second)
            await until(lambda: server.app.cache.line_length == 1)
            await server.quarantine(second)

            assert (await waits).reason == "RELEASE_QUARANTINED"
            loads = loads_of(server.loader)
            engine.let_go()
            await job
            assert loads_of(server.loader) == loads
            assert len(server.app.cache.residents()) == 1

    asyncio.run(walk())


async def hear_out(call: Any) -> tuple[Any, int]:
    """Return how a call fails and how many events came before."""
    heard = 0

    class Counted:
        async def __aiter__(self) -> Any:
            nonlocal heard
            async for event in call:
                heard += 1
                yield event

    return await refusal_of(Counted()), heard


def loads_of(loader: FakeLoader) -> int:
    """Return how many loads there were."""
    return len(loader.loaded)
