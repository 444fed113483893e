# SPDX-License-Identifier: Apache-2.0
"""Whole requests over real gRPC: events, stacks, batches, cancellation, deadlines, failures."""

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tabard.v1 import generation_service_pb2_grpc
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.memory import MemoryPlan, PassBytes
from tabard_server.engine_port.work import Curve, Estimate, Work
from tabard_server.jobs.run import JobRun
from tabard_server.limits import Limits
from tests.server.engine_port.known_work import HUGE, LARGE, WORK
from tests.server.fakes import FakeEngine, FakePromptReader
from tests.server.harness import (
    PATIENCE_SECONDS,
    Refusal,
    Request,
    pixels_of,
    refs,
    refusal_of,
    serving,
    small_limits,
    until,
)


def test_cancelled_call_frees_its_rows(tmp_path: Path) -> None:
    """After a cancel at most one more step happens, and rows, seats and leases are free."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            call = server.generation.Generate(
                Request(prompt="x", adapters=refs("acme/ink"), num_images=3, num_inference_steps=50)
            )
            await until(lambda: server.app.loop.running_count == 3)
            engine.allow(1)
            await until(lambda: len(engine.batches) == 1)
            call.cancel()
            await until(lambda: server.app.generation.jobs_left == 0)
            assert server.app.cache.residents()[0].leases == 1
            engine.allow(1)
            await until(lambda: server.app.loop.running_count == 0)

            assert engine.open_count == 0
            assert len(engine.batches) <= 2
            assert server.app.room.depth == 0
            assert server.app.cache.residents()[0].leases == 0

    asyncio.run(walk())


def test_nothing_is_kept_of_jobs_that_ended(tmp_path: Path) -> None:
    """Whether they were drawn or failed: a server that lives for weeks has many of them."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            for _ in range(8):
                await server.generate("x", adapters=["acme/ink"])
            engine.break_row = lambda _row: EngineError("broken")
            await refusal_of(server.generate("x", adapters=["acme/ink"]))
            # The loop looks at those that ended last when the next one comes.
            await until(lambda: _count_of(JobRun) <= 3)

    asyncio.run(walk())


def test_what_cannot_be_stepped_is_refused(tmp_path: Path) -> None:
    """A size over the engine's time or memory is refused at the door: nothing of it is queued."""
    passes = PassBytes(step=Curve(linear=1.0))
    plan = MemoryPlan(
        base=0, slots=0, merged=0, gathered=0, activations=0, passes=passes, free=256 * 256
    )
    for engine, size, reason in (
        (FakeEngine(work=WORK), HUGE, "SIZE_TOO_SLOW"),
        (FakeEngine(work=WORK, plan=plan), LARGE, "SIZE_OVER_MEMORY"),
    ):
        refusal = asyncio.run(_refused(tmp_path, engine=engine, size=size))
        assert (refusal.reason, refusal.fields) == (reason, ("width",))
        assert "use " in refusal.hint
        assert not engine.batches


async def _refused(folder: Path, *, engine: FakeEngine, size: tuple[int, int]) -> Refusal:
    width, height = size
    async with serving(folder, engine=engine) as server:
        request = Request(prompt="x", width=width, height=height)
        refusal = await refusal_of(server.generation.Generate(request))
        assert server.app.room.depth == 0
        assert (await server.generate("y")).kinds[-1] == "done"
    engine.batches = [batch for batch in engine.batches if batch[0].drawing.prompt != "y"]
    return refusal


def test_passed_deadline_stops_the_job(tmp_path: Path) -> None:
    """A job whose deadline passes while it runs is stopped at the next boundary."""
    engine = FakeEngine(step_seconds=0.05)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            call = server.generation.Generate(
                Request(prompt="x", num_inference_steps=150), timeout=0.4
            )
            refusal = await refusal_of(call)
            await until(lambda: server.app.loop.running_count == 0)

            assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
            assert engine.open_count == 0
            assert len(engine.batches) < 150

    asyncio.run(walk())


def test_full_queue_refuses_with_retry(tmp_path: Path) -> None:
    """The bound of the queue is named, and when to come back is what the queue needs for it."""
    second_a_step = Work(step=Estimate(curve=Curve(fixed=1.0)))
    engine = FakeEngine(work=second_a_step)
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(queue_rows_max=2, running_rows_max=1)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            jobs = [asyncio.ensure_future(server.generate("a", num_images=2))]
            await until(lambda: server.app.room.depth == 1)
            jobs.append(asyncio.ensure_future(server.generate("b")))
            await until(lambda: server.app.room.depth == 2)
            refusal = await refusal_of(server.generation.Generate(Request(prompt="c")))
            engine.allow(1000)
            await asyncio.gather(*jobs)

        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.reason == "QUEUE_FULL"
        # One image must be done before: an eighth of three steps, for eight share each; and a
        # little more.
        assert refusal.retry_seconds == pytest.approx(1.2 * 3 / 8, abs=1e-3)
        assert "queue_rows_max" in refusal.hint

    asyncio.run(walk())


def test_failed_load_fails_only_its_job(tmp_path: Path) -> None:
    """A load that breaks ends its job after Accepted; the next request loads again."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            server.loader.errors = [OSError("disk")]
            ref = f"acme/ink@{published.release.version}"
            refusal = await refusal_of(
                server.generation.Generate(Request(prompt="x", adapters=refs(ref)))
            )
            again = await server.generate("x", adapters=[ref])

        assert refusal.code is grpc.StatusCode.INTERNAL
        assert again.kinds[-1] == "done"

    asyncio.run(walk())


def test_cold_adapter_delays_only_its_job(tmp_path: Path) -> None:
    """While one job waits for its adapter to load, another begins and ends."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/cold")
            gate = server.loader.hold(published.release.digest)
            cold = asyncio.ensure_future(server.generate("cold", adapters=["acme/cold@1.0.0"]))
            await until(lambda: server.app.generation.jobs_left == 1)
            warm = await server.generate("warm")
            assert not cold.done()
            gate.set()
            told = await cold

        assert warm.kinds[-1] == told.kinds[-1] == "done"

    asyncio.run(walk())


def test_cancel_during_load_frees_everything(tmp_path: Path) -> None:
    """A caller who leaves before the adapter is loaded leaves no seat and no lease behind."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/cold")
            gate = server.loader.hold(published.release.digest)
            call = server.generation.Generate(Request(prompt="x", adapters=refs("acme/cold@1.0.0")))
            await until(lambda: server.app.cache.line_length == 1)
            call.cancel()
            await until(lambda: server.app.generation.jobs_left == 0)
            gate.set()
            await until(lambda: len(server.app.cache.residents()) == 1)

            assert server.app.room.depth == 0
            assert server.app.cache.residents()[0].leases == 0

    asyncio.run(walk())


def test_drawn_seed_is_told(tmp_path: Path) -> None:
    """Without a seed the server draws one, and the image is repeatable with it."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            drawn = await server.generate()
            again = await server.generate(seed=drawn.accepted.seeds[0])

        assert np.array_equal(
            pixels_of(drawn.images[0].content), pixels_of(again.images[0].content)
        )

    asyncio.run(walk())


def test_release_withdrawn_during_admission_is_refused(tmp_path: Path) -> None:
    """Pinned before the withdrawal and begun after it, the job would wear what nobody may."""
    begun, may_end = threading.Event(), threading.Event()

    class SlowReader(FakePromptReader):
        def read(self, *args: Any) -> Any:
            begun.set()
            assert may_end.wait(PATIENCE_SECONDS)
            return super().read(*args)

    class SlowReadingEngine(FakeEngine):
        def new_prompt_reader(self) -> FakePromptReader:
            return SlowReader()

    engine = SlowReadingEngine()

    async def walk() -> Refusal:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            job = server.begin("acme/ink@1.0.0")
            await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
            await server.quarantine("acme/ink@1.0.0")
            may_end.set()
            return await job

    refusal = asyncio.run(walk())

    assert refusal.reason == "RELEASE_QUARANTINED"
    assert engine.batches == []


def test_unread_images_are_bounded(tmp_path: Path) -> None:
    """Who does not take what was drawn is not drawn for; others are, and reading ends it."""

    async def walk() -> tuple[Refusal, str, str]:
        limits = Limits(outbox_bytes_max=10_000)
        # Without the probe a reader that reads nothing is sent little.
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
        size = {"width": 512, "height": 512, "num_images": 8}
        async with (
            serving(tmp_path, limits=limits) as server,
            grpc.aio.insecure_channel(server.address, options=options) as channel,
        ):
            stub: Any = generation_service_pb2_grpc.GenerationServiceStub(channel)
            events = aiter(stub.Generate(Request(prompt="x", num_inference_steps=1, **size)))
            await anext(events)
            await until(lambda: server.app.generation.jobs_left == 0)
            refusal = await refusal_of(stub.Generate(Request(prompt="x")))
            other = await server.generate("x")
            async for _event in events:
                pass
            again = [one.WhichOneof("event") async for one in stub.Generate(Request(prompt="x"))]
            return refusal, other.kinds[-1], again[-1]

    refusal, other, again = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "IMAGES_UNREAD")
    assert refusal.retry_seconds is not None
    assert (other, again) == ("done", "done")


def _count_of(kind: type) -> int:
    gc.collect()
    # By `type`: `isinstance` asks some objects of other libraries more than they like to say.
    return sum(type(one) is kind for one in gc.get_objects())
