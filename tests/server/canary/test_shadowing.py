# SPDX-License-Identifier: Apache-2.0
"""Which requests get a shadow, and what becomes of shadows that cannot be drawn."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.server.canary.painted import EQUAL, GOOD, LINE, canary_of, paint, prepare, start
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, refs, serving, small_limits, until


def test_sides_share_the_callers_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidate and the base join the caller's row, with its seed and prompt."""
    engine = FakeEngine(step_seconds=0.01)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await until(lambda: server.app._health.shadowing._watched)
            await until(
                lambda: next(iter(server.app._health.shadowing._watched.values())).wants_pairs
            )
            engine.batches.clear()
            await server.generate("mine", adapters=[str(LINE)], seed=5, num_inference_steps=12)

            mine = [
                batch
                for batch in engine.batches
                if sum(spec.drawing.prompt == "mine" and spec.seed == 5 for spec in batch) == 3
            ]
            assert len(mine) >= 8

    asyncio.run(walk())


@pytest.mark.parametrize(
    "asked",
    [
        {"adapters": refs(f"{LINE}@{GOOD}")},
        {"adapters": refs(f"{LINE}@^1")},
        {"adapters": refs("acme/other")},
        {"prompt": f"<lora:{LINE}:1> mine"},
        {},
    ],
    ids=["exact", "range", "another line", "tag", "base"],
)
def test_only_what_comes_through_the_channel_is_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    """Exact pins and ranges are nobody's experiment."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            await server.publish("acme/other", "1.0.0")
            await server.promote("acme/other@1.0.0")
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await until(lambda: server.app._health.shadowing._watched)
            watched = next(iter(server.app._health.shadowing._watched.values()))
            await until(lambda: watched.wants_pairs)
            request = Request(**{"prompt": "mine", "num_inference_steps": 2} | asked)
            async for _event in server.generation.Generate(request):
                pass

            assert not watched.units

    asyncio.run(walk())


def test_shadow_without_room_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends, its prompt may come again, and the caller has its image long before."""
    engine = FakeEngine()

    async def walk() -> None:
        limits = small_limits(canary_pair_seconds_max=0.2)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await until(lambda: server.app._health.shadowing._watched)
            watched = next(iter(server.app._health.shadowing._watched.values()))
            await until(lambda: watched.wants_pairs)
            engine.hold_steps()
            caller = asyncio.ensure_future(server.generate("mine", adapters=[str(LINE)], seed=5))
            await until(lambda: bool(watched.units))
            await until(lambda: not watched.units)
            engine.let_go()

            assert (await caller).images
            assert not canary_of(server).verdict

    asyncio.run(walk())
