# SPDX-License-Identifier: Apache-2.0
"""Steps that are not possible as chosen: the loop takes them otherwise, and lives on."""

import asyncio
from pathlib import Path

import pytest

from tabard_server.engine_port.errors import AdapterMismatch, DeviceMemoryFull
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.scheduler.merging import TURNS_UNMEASURED
from tests.server.fakes import FakeEngine, draw
from tests.server.harness import Request, pixels_of, refusal_of, serving


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
        assert (pixels_of(told.images[0].png) == draw(engine.batches[0][0])).all()
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
