# SPDX-License-Identifier: Apache-2.0
"""Whole requests over real gRPC: events, stacks, batches, cancellation, deadlines, failures."""

import asyncio
from pathlib import Path

import grpc
import numpy as np

from tabard_server.engine_port.errors import RowNotFinite
from tests.server.fakes import FakeEngine, noise
from tests.server.harness import (
    Request,
    pixels_of,
    provenance_of,
    read_refusal,
    refusal_of,
    serving,
    small_limits,
    until,
)


def test_request_streams_its_whole_life(tmp_path: Path) -> None:
    """Accepted comes first, Done last, and every image in between."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            told = await server.generate(num_images=2, seed=7, preview_every=2)

        assert told.kinds[0] == "accepted"
        assert told.kinds[-1] == "done"
        assert told.kinds.count("image") == 2
        assert told.kinds.count("preview") == 2
        assert "progress" in told.kinds
        assert list(told.accepted.seeds) == [7, 8]

    asyncio.run(walk())


def test_image_wears_what_was_accepted(tmp_path: Path) -> None:
    """Pixels, provenance and the accepted stack agree on digest and weight."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            told = await server.generate("a cat", adapters=["acme/ink:0.5"], seed=3)

        digest = published.release.digest
        expected = noise(stack=[(digest, 0.5)], prompt="a cat", seed=3, width=64, height=64)
        assert told.accepted.worn[0].digest == digest
        assert told.accepted.registry_seq == 2
        assert np.array_equal(pixels_of(told.images[0].png), expected)
        assert provenance_of(told.images[0].png)["stack"][0]["digest"] == digest

    asyncio.run(walk())


def test_prompt_tag_acts_like_adapter(tmp_path: Path) -> None:
    """A tag is removed from the prompt and worn with its weight."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            tagged = await server.generate("a cat <lora:acme/ink:0.8>", seed=1)
            named = await server.generate("a cat", adapters=["acme/ink:0.8"], seed=1)

        assert tagged.accepted.worn[0].weight == 0.8
        assert np.array_equal(pixels_of(tagged.images[0].png), pixels_of(named.images[0].png))

    asyncio.run(walk())


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
            return alone.images[0].png, (await told)[0].images[0].png

    alone, among = asyncio.run(walk())
    assert alone == among
    assert all(len(batch) == 1 for batch in engine.batches if batch[0].drawing.prompt == "solo")
    assert any(len(batch) > 1 for batch in engine.batches)


def test_cancelled_call_frees_its_rows(tmp_path: Path) -> None:
    """After a cancel at most one more step happens, and rows, seats and leases are free."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            call = server.generation.Generate(
                Request(prompt="x", adapters=["acme/ink"], num_images=3, num_inference_steps=50)
            )
            await until(lambda: server.app.loop.running_count == 3)
            engine.allow(1)
            await until(lambda: len(engine.batches) == 1)
            call.cancel()
            await until(lambda: _stops(server.app) > 0)
            engine.allow(1)
            await until(lambda: server.app.generation.jobs_left == 0)

            assert engine.open_count == 0
            assert len(engine.batches) <= 2
            assert server.app.room.depth == 0
            assert server.app.cache.residents()[0].leases == 0

    def _stops(app: object) -> int:
        return sum(run.stop_error is not None for run in app.generation._running.values())  # type: ignore[attr-defined]

    asyncio.run(walk())


def test_near_deadline_is_refused(tmp_path: Path) -> None:
    """A deadline too near to begin is told so, or the client gives up by itself first."""

    async def walk() -> None:
        limits = small_limits(deadline_seconds_min=30.0)
        async with serving(tmp_path, limits=limits) as server:
            refusal = await refusal_of(server.generation.Generate(Request(prompt="x"), timeout=20))

        assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert refusal.reason == "DEADLINE_TOO_SHORT"

    asyncio.run(walk())


def test_passed_deadline_stops_the_job(tmp_path: Path) -> None:
    """A job whose deadline passes while it runs is stopped at the next boundary."""
    engine = FakeEngine(step_seconds=0.05)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            call = server.generation.Generate(
                Request(prompt="x", num_inference_steps=150), timeout=0.4
            )
            refusal = await refusal_of(call)
            await until(lambda: server.app.generation.jobs_left == 0)

            assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
            assert engine.open_count == 0
            assert len(engine.batches) < 150

    asyncio.run(walk())


def test_full_queue_refuses_with_retry(tmp_path: Path) -> None:
    """The bound of the queue is named, and the caller is told when to come back."""
    engine = FakeEngine()
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
        assert refusal.retry_seconds == 1.0
        assert "queue_rows_max" in refusal.hint

    asyncio.run(walk())


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


def test_failed_load_fails_only_its_job(tmp_path: Path) -> None:
    """A load that breaks ends its job after Accepted; the next request loads again."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            server.loader.errors = [OSError("disk")]
            ref = f"acme/ink@{published.release.version}"
            refusal = await refusal_of(
                server.generation.Generate(Request(prompt="x", adapters=[ref]))
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


def test_stack_beyond_all_slots_fails(tmp_path: Path) -> None:
    """A stack that can never fit is refused at the door."""

    async def walk() -> None:
        async with serving(tmp_path, engine=FakeEngine(rank_total=6)) as server:
            for name in ("acme/a", "acme/b"):
                await server.publish(name)
            refusal = await refusal_of(
                server.generation.Generate(
                    Request(prompt="x", adapters=["acme/a@1.0.0", "acme/b@1.0.0"])
                )
            )

        assert refusal.reason == "STACK_TOO_LARGE"

    asyncio.run(walk())


def test_cancel_during_load_frees_everything(tmp_path: Path) -> None:
    """A caller who leaves before the adapter is loaded leaves no seat and no lease behind."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/cold")
            gate = server.loader.hold(published.release.digest)
            call = server.generation.Generate(Request(prompt="x", adapters=["acme/cold@1.0.0"]))
            await call.read()
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

        assert np.array_equal(pixels_of(drawn.images[0].png), pixels_of(again.images[0].png))

    asyncio.run(walk())
