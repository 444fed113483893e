# SPDX-License-Identifier: Apache-2.0
"""Jobs that end before their time, while the engine is busy with a step that does not end."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.errors import OutOfTime
from tabard_server.jobs.job import Event, JobSpec, WantedAdapter
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refusal_of, serving, small_limits, until

LATE_SECONDS = 100.0
SOON_SECONDS = 3.0


def stuck_engine() -> FakeEngine:
    """Return an engine whose steps do not end."""
    engine = FakeEngine()
    engine.hold_steps()
    return engine


class Deadlines:
    """Stands in for the loop of a server's jobs, and lets their deadlines pass when told to."""

    def __init__(self, server: Server) -> None:
        self._jobs = server.app.generation
        self._loop = self._jobs._reader_loop
        self._timers: list[tuple[asyncio.TimerHandle, tuple[Any, ...]]] = []
        self._jobs._reader_loop = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_later(self, seconds: float, act: Callable[..., Any], *told: Any) -> Any:
        """Set a timer, and remember it if it ends a job."""
        timer = self._loop.call_later(seconds, act, *told)
        if act == self._jobs._expire:
            assert seconds > LATE_SECONDS / 2
            self._timers.append((timer, told))
        return timer

    def let_pass(self) -> None:
        """Do what the timers that are still set would do."""
        for timer, told in self._timers:
            if not timer.cancelled():
                timer.cancel()
                self._jobs._expire(*told)


def spec(prompt: str, **changes: object) -> JobSpec:
    """Return a request as the door hands it on."""
    return JobSpec(wanted=WantedDrawing(prompt=prompt), **changes)  # type: ignore[arg-type]


async def take(server: Server, asked: JobSpec) -> list[Event]:
    """Take everything that a job says, without gRPC and its own clock."""
    return [event async for event in server.app.generation.generate(asked)]


def count(server: Server, name: str, **labels: str) -> float:
    """Return a number of the metrics page."""
    return server.app.metrics.registry.get_sample_value(name, labels) or 0.0


def outcomes(server: Server) -> dict[str, float]:
    """Return how many jobs ended how."""
    return {
        outcome: count(server, "tabard_jobs_total", outcome=outcome)
        for outcome in ("done", "expired", "cancelled", "failed")
        if count(server, "tabard_jobs_total", outcome=outcome)
    }


def test_expired_jobs_leave_a_stuck_engine(tmp_path: Path) -> None:
    """Who waits and who runs are both told at once, and their seats are free for others."""
    engine = stuck_engine()

    async def walk() -> None:
        limits = small_limits(queue_rows_max=4, running_rows_max=1)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            deadlines = Deadlines(server)
            await server.publish("acme/ink")
            runs = asyncio.ensure_future(
                take(
                    server,
                    spec(
                        "a",
                        adapters=(WantedAdapter(ref="acme/ink@1.0.0"),),
                        seconds_left=LATE_SECONDS,
                    ),
                )
            )
            await until(lambda: engine.open_count == 1)
            waits = asyncio.ensure_future(
                take(server, spec("b", images=4, seconds_left=LATE_SECONDS))
            )
            await until(lambda: server.app.room.depth == 4)
            deadlines.let_pass()
            told = await asyncio.gather(runs, waits, return_exceptions=True)

            assert [type(one) for one in told] == [OutOfTime, OutOfTime]
            assert (server.app.room.depth, server.app.generation.jobs_left) == (0, 0)
            # The row that runs keeps what it wears until its step is over.
            assert server.app.cache.residents()[0].leases == 1
            later = asyncio.ensure_future(server.generate("c", num_images=4))
            await until(lambda: server.app.room.depth == 4)
            engine.let_go()
            assert len((await later).images) == 4
            assert server.app.cache.residents()[0].leases == 0
            assert {batch[0].drawing.prompt for batch in engine.batches} == {"a", "c"}

    asyncio.run(walk())


def test_expired_is_counted_as_what_it_is(tmp_path: Path) -> None:
    """Also when gRPC cuts the call off first; a caller that leaves early has cancelled."""
    engine = stuck_engine()

    async def walk() -> None:
        limits = small_limits(running_rows_max=1)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            left = server.generation.Generate(Request(prompt="a"), timeout=60.0)
            await until(lambda: engine.open_count == 1)
            calls = [
                refusal_of(server.generation.Generate(Request(prompt="b"), timeout=SOON_SECONDS))
                for _ in range(8)
            ]
            refused = asyncio.gather(*calls)
            await until(lambda: server.app.generation.jobs_left == 9)
            # A call may have travelled for long: the caller's clock is ahead of ours by as much.
            server.app.generation._clock = lambda: time.monotonic() + SOON_SECONDS
            refusals = await refused
            await until(lambda: server.app.generation.jobs_left == 1)
            left.cancel()
            await until(lambda: server.app.generation.jobs_left == 0)

            assert {one.code for one in refusals} == {grpc.StatusCode.DEADLINE_EXCEEDED}
            assert outcomes(server) == {"expired": 8.0, "cancelled": 1.0}
            assert count(server, "tabard_jobs_expired_total", begun="no") == 8.0
            engine.let_go()

    asyncio.run(walk())


def test_cut_off_call_was_late(tmp_path: Path) -> None:
    """A call that is cut off within the rounding of its deadline expired, though no timer ran."""
    engine = stuck_engine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            generation = server.app.generation
            for passed_seconds in (99.0, 90.0):
                events = generation.generate(spec("a", seconds_left=100.0))
                await anext(events)
                now = time.monotonic() + passed_seconds
                generation._clock = lambda now=now: now  # type: ignore[misc]
                await events.aclose()
            assert outcomes(server) == {"expired": 1.0, "cancelled": 1.0}
            engine.let_go()

    asyncio.run(walk())


def test_expired_row_was_begun(tmp_path: Path) -> None:
    """A job that had its first step and not its last is told apart."""
    engine = stuck_engine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            deadlines = Deadlines(server)
            running = asyncio.ensure_future(take(server, spec("a", seconds_left=LATE_SECONDS)))
            await until(lambda: engine.open_count == 1)
            deadlines.let_pass()
            with pytest.raises(OutOfTime):
                await running
            assert count(server, "tabard_jobs_expired_total", begun="yes") == 1.0
            engine.let_go()
            await until(lambda: engine.open_count == 0)
            assert len(engine.batches) == 1

    asyncio.run(walk())


def test_those_who_left_fill_no_queue(tmp_path: Path) -> None:
    """However many come and go while a step lasts, the next one is admitted and drawn."""
    engine = stuck_engine()

    async def walk() -> None:
        limits = small_limits(queue_rows_max=2, running_rows_max=1)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            first = asyncio.ensure_future(server.generate("a"))
            await until(lambda: engine.open_count == 1)
            for _ in range(20):
                call = server.generation.Generate(Request(prompt="b"))
                await call.read()
                call.cancel()
                await until(lambda: server.app.generation.jobs_left == 1)
            stays = asyncio.ensure_future(server.generate("c"))
            await until(lambda: server.app.generation.jobs_left == 2)
            engine.let_go()

            assert [one.kinds[-1] for one in await asyncio.gather(first, stays)] == ["done"] * 2

    asyncio.run(walk())
