# SPDX-License-Identifier: Apache-2.0
"""Steps that are not possible as chosen: the loop takes them otherwise, and lives on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from tabard_server.engine_port.errors import (
    AdapterMismatch,
    DeviceMemoryFull,
    EngineError,
    RowNotFinite,
)
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.work import Curve, Estimate
from tabard_server.errors import OutOfTime
from tabard_server.limits import Limits
from tabard_server.loop.loop import Loop
from tabard_server.scheduler.claims import Priority
from tabard_server.scheduler.merging import TURNS_UNMEASURED
from tabard_server.telemetry.metrics import Metrics
from tests.server.engine_port.known_work import LARGE, SMALL, WORK
from tests.server.fakes import FakeEngine, FakeReadback, FakeRow, draw
from tests.server.harness import (
    Request,
    pixels_of,
    read_refusal,
    refusal_of,
    serving,
    until,
)
from tests.server.jobs.small_jobs import running


def test_batch_too_large_is_halved(tmp_path: Path) -> None:
    """Four rows that do not fit step two by two, and larger batches are not tried again."""
    engine = FakeEngine(step_errors=[DeviceMemoryFull("no room", hint="less")])

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            told = await server.generate(num_images=4, seed=1)
        assert len(told.images) == 4

    asyncio.run(walk())

    sizes = [len(batch) for batch in engine.batches]
    assert sizes[0] == 4
    assert set(sizes[1:]) == {2}


def test_row_too_large_fails_alone(tmp_path: Path) -> None:
    """One row that does not fit ends its job with a reason; the next request is served."""
    engine = FakeEngine(step_errors=[DeviceMemoryFull("no room", hint="ask for less")])

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            refusal = await refusal_of(server.generation.Generate(Request(prompt="x")))
            told = await server.generate("y")
        assert (refusal.reason, refusal.hint) == ("DEVICE_MEMORY_FULL", "ask for less")
        assert told.kinds[-1] == "done"

    asyncio.run(walk())

    assert engine.open_count == 0


@pytest.mark.parametrize("is_broken", [False, True])
def test_merge_that_fails_is_done_without(tmp_path: Path, is_broken: bool) -> None:
    """A stack that owns the traffic is merged; if that is not possible it steps in its slots."""
    engine = FakeEngine(can_merge=True)
    if is_broken:
        engine.merge_errors.append(AdapterMismatch("NaN", hint="lower the weight"))

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            told = await server.generate(
                "x", adapters=["acme/ink@1.0.0"], num_inference_steps=2 * TURNS_UNMEASURED, seed=5
            )
        assert told.kinds[-1] == "done"
        (spec,) = {_whole(batch[0]) for batch in engine.batches}
        assert (pixels_of(told.images[0].content) == draw(engine.batches[0][0])).all()
        assert spec

    asyncio.run(walk())

    assert (engine.merged_steps > 1) is not is_broken


def test_memory_for_a_merge_shrinks_no_batch(tmp_path: Path) -> None:
    """When only the copy did not fit, the rows stay together in their slots."""
    engine = FakeEngine(can_merge=True, merge_errors=[DeviceMemoryFull("no room", hint="less")])

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            steps = 2 * TURNS_UNMEASURED
            told = await server.generate(
                "x", adapters=["acme/ink@1.0.0"], num_inference_steps=steps, num_images=2
            )
        assert len(told.images) == 2

    asyncio.run(walk())

    assert {len(batch) for batch in engine.batches} == {2}


def _whole(spec: RowSpec) -> tuple[object, ...]:
    return (
        spec.drawing.prompt,
        spec.seed,
        *((adapter.digest, weight) for adapter, weight in spec.stack),
    )


def test_rows_join_between_steps(tmp_path: Path) -> None:
    """A second request shares a forward pass with one that has begun already."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            first = asyncio.ensure_future(server.generate("first", num_inference_steps=6))
            await until(lambda: server.app.loop.running_count == 1)
            engine.allow(2)
            await until(lambda: len(engine.batches) == 2)
            second = asyncio.ensure_future(server.generate("second", num_inference_steps=2))
            await until(lambda: server.app.room.depth == 1)
            engine.allow(100)
            await asyncio.gather(first, second)

    asyncio.run(walk())
    prompts = [sorted(spec.drawing.prompt for spec in batch) for batch in engine.batches]
    assert prompts[0] == ["first"]
    assert ["first", "second"] in prompts


def test_deterministic_rows_run_alone(tmp_path: Path) -> None:
    """A deterministic image has every forward pass to itself, and equal files in a crowd."""
    engine = FakeEngine()

    async def walk() -> tuple[bytes, bytes]:
        async with serving(tmp_path, engine=engine) as server:
            alone = await server.generate("solo", seed=1, deterministic=True)
            engine.hold_steps()
            crowd = [server.generate("crowd", seed=i) for i in range(6)]
            among = server.generate("solo", seed=1, deterministic=True)
            told = asyncio.gather(among, *crowd)
            await until(lambda: server.app.generation.jobs_left == 7)
            engine.allow(1000)
            return alone.images[0].content, (await told)[0].images[0].content

    alone, among = asyncio.run(walk())
    assert alone == among
    assert all(len(batch) == 1 for batch in engine.batches if batch[0].drawing.prompt == "solo")
    assert any(len(batch) > 1 for batch in engine.batches)


def test_broken_row_fails_only_its_job(tmp_path: Path) -> None:
    """A row whose latents are not finite ends its job; its neighbours are served."""
    engine = FakeEngine(
        break_row=lambda spec: (
            RowNotFinite("NaN", hint="less") if spec.drawing.prompt == "bad" else None
        )
    )
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            bad = asyncio.ensure_future(server.generate("bad"))
            good = asyncio.ensure_future(server.generate("good"))
            await until(lambda: server.app.generation.jobs_left == 2)
            engine.allow(100)
            outcome = (await asyncio.gather(bad, return_exceptions=True))[0]
            told = await good

        assert isinstance(outcome, grpc.aio.AioRpcError)
        assert read_refusal(outcome).reason == "ROW_NOT_FINITE"
        assert len(told.images) == 1

    asyncio.run(walk())


def test_loop_outlives_unexpected_failures(tmp_path: Path) -> None:
    """What nobody expects in step, open or decode fails its job, typed; the next is served."""
    engine = FakeEngine(
        step_errors=[RuntimeError("kernel panic")],
    )

    async def walk() -> list[str]:
        reasons = []
        async with serving(tmp_path, engine=engine) as server:
            for errors in (engine.step_errors, engine.open_errors, engine.decode_errors):
                errors[:] = [RuntimeError("secret of the house")]
                refusal = await refusal_of(server.generation.Generate(Request(prompt="x")))
                reasons.append(refusal.reason)
                assert refusal.code is grpc.StatusCode.INTERNAL
                assert "secret" not in refusal.message
                assert (await server.generate("next")).kinds[-1] == "done"
                assert engine.open_count == 0
        return reasons

    assert asyncio.run(walk()) == ["JOB_FAILED"] * 3


def test_job_without_room_waits(tmp_path: Path) -> None:
    """A stack that finds no room in the slots waits until others have ended."""
    engine = FakeEngine(rank_total=4)
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            for name in ("acme/a", "acme/b"):
                await server.publish(name)
            first = asyncio.ensure_future(server.generate("a", adapters=["acme/a@1.0.0"]))
            await until(lambda: server.app.loop.running_count == 1)
            second = asyncio.ensure_future(server.generate("b", adapters=["acme/b@1.0.0"]))
            third = asyncio.ensure_future(server.generate("plain"))
            await until(lambda: server.app.generation.jobs_left == 3)
            engine.allow(1000)
            await asyncio.gather(first, second, third)

        prompts = [{spec.drawing.prompt for spec in batch} for batch in engine.batches]
        assert not any({"a", "b"} <= batch for batch in prompts)

    asyncio.run(walk())


def test_newcomer_passes_long_steps(tmp_path: Path) -> None:
    """Behind large images a small one waits for the step that is under way, then is drawn."""
    engine = FakeEngine(work=WORK)
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            width, height = LARGE
            long = server.generate("l", width=width, height=height, num_images=5)
            first = asyncio.ensure_future(long)
            await until(lambda: server.app.loop.running_count == 5)
            second = asyncio.ensure_future(server.generate("s", num_inference_steps=20))
            await until(lambda: server.app.loop._inbox.qsize() > 0)
            engine.allow(1_000)
            await asyncio.gather(first, second)

    asyncio.run(walk())

    sizes = [batch[0].drawing.size for batch in engine.batches]
    assert sizes[:21] == [LARGE, *[SMALL] * 20]
    # Five that fill the device each do not make him wait for one another.
    assert {len(batch) for batch in engine.batches} == {1}


def test_looks_last_no_longer_than_a_step(tmp_path: Path) -> None:
    """A look decodes the whole image: in one turn there are no more than fit, and always one."""
    slow = replace(WORK, decoding=Estimate(curve=Curve(fixed=2.0)))
    engine = FakeEngine(work=slow)

    async def walk() -> int:
        async with serving(tmp_path, engine=engine) as server:
            told = await server.generate(num_images=4, num_inference_steps=2, preview_every=1)
        assert len(told.images) == 4
        return told.kinds.count("preview")

    # Of four images two are shown in the one turn before the last; 5 s are enough for no more.
    assert asyncio.run(walk()) == 2


@dataclass(kw_only=True)
class Dated(FakeEngine):
    """An engine whose every piece of work takes ten seconds of a clock set by hand."""

    now: float = 0.0
    silent: list[tuple[str, float]] = field(default_factory=list)
    watch: Callable[[], float] = lambda: 0.0

    def open_rows(self, specs: Sequence[RowSpec]) -> list[FakeRow | EngineError]:
        self._work("open")
        return super().open_rows(specs)

    def step(self, rows: Sequence[FakeRow], *, is_merged: bool) -> None:
        self._work("step")
        super().step(rows, is_merged=is_merged)

    def decode(self, row: FakeRow) -> FakeReadback:
        self._work("decode")
        return super().decode(row)

    def _work(self, name: str) -> None:
        self.silent.append((name, self.watch()))
        self.now += 10.0


def test_each_piece_of_work_begins_with_a_beat() -> None:
    """Silence is that of one piece: a turn of many never looks like an engine that hangs."""
    engine = Dated(step_errors=[DeviceMemoryFull("no room", hint="less")])
    finisher: Any = SimpleNamespace(finish=lambda *_run, **_image: None)
    loop = Loop(
        engine, limits=Limits(), finisher=finisher, metrics=Metrics(), clock=lambda: engine.now
    )
    engine.watch = lambda: loop.silent_seconds

    loop.join(running(ticket=1, images=2).run)
    loop.turn()
    loop.join(running(ticket=2).run)
    while sum(name == "decode" for name, _silent in engine.silent) < 3:
        loop.turn()

    # The first step did not fit, and was taken in halves.
    names = [name for name, _silent in engine.silent]
    assert names[:5] == ["open", "step", "step", "step", "open"]
    assert {silent for _, silent in engine.silent} == {0.0}
    assert loop.silent_seconds == 10.0


def test_background_makes_way_and_begins_anew() -> None:
    """Others take its place at the next step boundary; it draws the same image afterwards."""
    engine, drawn = FakeEngine(), []
    finisher: Any = SimpleNamespace(
        finish=lambda run, **image: drawn.append((run.job.ticket, image["index"]))
    )
    limits = Limits(running_rows_max=2)
    loop = Loop(engine, limits=limits, finisher=finisher, metrics=Metrics())
    grid = running(ticket=1, images=2, priority=Priority.BACKGROUND)

    loop.join(grid.run)
    loop.turn()
    other = running(ticket=2)
    loop.join(other.run)
    loop.turn()

    assert [len(batch) for batch in engine.batches] == [2, 1]
    assert (loop.running_count, engine.closed) == (2, 1)
    while len(drawn) < 3:
        loop.turn()
    assert drawn[0] == (2, 0)
    assert (engine.open_count, grid.run.seats.rows) == (0, 0)


def test_shadow_shares_steps_and_is_charged_to_nobody() -> None:
    """It is drawn beside a caller, whose tenant pays for its own row alone."""
    engine, drawn = FakeEngine(), []
    finisher: Any = SimpleNamespace(
        finish=lambda run, **image: drawn.append((run.job.ticket, image["index"]))
    )
    loop = Loop(engine, limits=Limits(), finisher=finisher, metrics=Metrics())

    loop.join(running(ticket=1).run)
    loop.join(running(ticket=2, priority=Priority.SHADOW).run)
    while len(drawn) < 2:
        loop.turn()

    assert {len(batch) for batch in engine.batches} == {2}
    assert engine.open_count == 0


def test_ended_run_is_dropped_wherever_it_is() -> None:
    """On its way, in the queue, or beside others in a step: its rows leave at the next boundary."""
    engine = FakeEngine()
    finisher: Any = SimpleNamespace(finish=lambda *_run, **_image: None)
    loop = Loop(engine, limits=Limits(running_rows_max=2), finisher=finisher, metrics=Metrics())
    kept, runs, waits, comes = (running(ticket=ticket) for ticket in range(1, 5))
    for one in (kept, runs, waits):
        loop.join(one.run)
    loop.turn()
    assert [spec.seed for spec in engine.batches[-1]] == [7, 7]

    loop.join(comes.run)
    for one in (runs, waits, comes):
        one.run.fail(RowNotFinite("gone", hint=""))
    loop.turn()

    assert (loop.running_count, engine.open_count, len(engine.batches[-1])) == (1, 1, 1)
    assert [len(one.ends) for one in (kept, runs, waits, comes)] == [0, 1, 1, 1]


def test_deadline_is_seen_at_a_boundary() -> None:
    """Though the thread that has a timer for it is busy."""
    finisher: Any = SimpleNamespace(finish=lambda *_run, **_image: None)
    loop = Loop(FakeEngine(), limits=Limits(), finisher=finisher, metrics=Metrics())
    one = running(deadline_at=101.0)
    loop.join(one.run)
    loop.turn()

    one.now = 101.0
    loop.turn()

    assert isinstance(one.ends[0], OutOfTime)
    assert loop.running_count == 0
