# SPDX-License-Identifier: Apache-2.0
"""Which requests get a shadow, and what becomes of shadows that cannot be drawn."""

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import adapter_pb2
from tabard_registry import AdapterName, Author
from tabard_registry.acts import CanaryName, raise_share
from tabard_registry.release.canary import OBSERVATIONS_PER_ACT_MAX
from tabard_server.canary import conductor
from tabard_server.engine_port.weights.strength import Controls, Strength
from tests.server.canary.painted import EQUAL, GOOD, LINE, canary_of, paint, prepare, start
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refs, serving, small_limits, until
from tests.server.safety.classifiers import Eye, safety, scores

SAMPLING = adapter_pb2.Sampling(weight=adapter_pb2.SamplingSpan(recommended=0.25))
"""A release that is weaker than others, by its author's advice."""


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
        {
            "adapters": refs(f"{LINE}:1:region=a"),
            "regions": [{"name": "a", "boxes": "0,0,0.5,1", "prompt": "x"}],
        },
    ],
    ids=["exact", "range", "another line", "tag", "base", "regions"],
)
def test_only_what_comes_through_the_channel_is_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    """Exact pins and ranges are nobody's experiment; a region may be empty without its adapter."""

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


def test_others_of_a_stack_are_those_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second canary in the same stack is no difference between the sides of the first."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            for version in ("1.0.0", "1.1.0"):
                await server.publish("acme/paper", version)
            await server.promote("acme/paper@1.0.0")
            paint(server, monkeypatch)
            start(server, "acme/paper@1.1.0", shares=(0.99,))
            papers = server.app.registry.state.adapter(AdapterName.parse("acme/paper"))
            tried = papers.canaries[-1].terms.candidate
            act = raise_share(CanaryName(adapter=papers.name, candidate=tried), share=0.99)
            server.app.registry.commit(act, author=Author(actor="tester"))
            start(server, f"{LINE}@{EQUAL}")
            await _until_watched(server, LINE)
            asked = [f"{LINE}", "acme/paper:0.5"]
            await server.generate("mine", adapters=asked, canary_key="somebody", seed=5)
            await until(lambda: len(_stacks(engine, "mine")) == 3)

            stacks = _stacks(engine, "mine")
            assert {(stack[-1][0].digest, stack[-1][1]) for stack in stacks} == {(str(tried), 0.5)}

    asyncio.run(walk())


def test_canary_of_a_recipe_is_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worn as its members, and the other recipe as its own."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            await server.publish("acme/paper", "1.0.0")
            for version, member in (("1.0.0", GOOD), ("1.1.0", EQUAL)):
                members = [f"{LINE}@{member}", "acme/paper@1.0.0"]
                await server.publish_recipe("acme/mix", *members, version=version)
            await server.promote("acme/mix@1.0.0")
            paint(server, monkeypatch)
            start(server, "acme/mix@1.1.0")
            mix = AdapterName.parse("acme/mix")
            await _until_watched(server, mix)
            await server.generate("mine", adapters=["acme/mix"], seed=5)
            await until(lambda: bool(server.app.registry.state.adapter(mix).canaries[-1].seen))

            assert sorted(len(stack) for stack in _stacks(engine, "mine")) == [0, 2, 2]

    asyncio.run(walk())


def test_prompt_with_a_place_for_the_trigger_is_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base has no such word, and is asked without it."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server, trigger_words=["inked"])
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await _until_watched(server, LINE)
            await server.generate("mine, {trigger}", adapters=[str(LINE)], seed=5)
            await until(lambda: bool(canary_of(server).seen))

            rows = [spec for batch in engine.batches for spec in batch if spec.seed == 5]
            prompts = {(spec.drawing.prompt, len(spec.stack)) for spec in rows}
            assert prompts == {("mine, inked", 1), ("mine", 0)}

    asyncio.run(walk())


def test_each_side_has_the_weight_that_it_would_be_served_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody says a weight, that is the one that each release recommends."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            await server.publish(str(LINE), "2.0.0", sampling=SAMPLING)
            paint(server, monkeypatch)
            start(server, f"{LINE}@2.0.0")
            await _until_watched(server, LINE)
            await server.generate("mine", adapters=[str(LINE)], seed=5)
            await until(lambda: len(_stacks(engine, "mine")) == 3)

            weights = sorted(weight for stack in _stacks(engine, "mine") for _, weight in stack)
            assert weights == [0.25, 1.0]

    asyncio.run(walk())


def test_sides_wear_the_controls_that_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands behind a ref holds for the other release, too."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await _until_watched(server, LINE)
            await server.generate("mine", adapters=[f"{LINE}:0.5:te=0.2:end=0.5"], seed=5)
            await until(lambda: len(_stacks(engine, "mine")) == 3)

            worn = [weight for stack in _stacks(engine, "mine") for _, weight in stack]
            said = Strength(weight=0.5, controls=Controls(text_encoder=0.2, end=0.5))
            assert worn == [said, said]

    asyncio.run(walk())


def test_pairs_that_wait_to_be_scored_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their pictures are in memory: a slow scorer has no more than a few of them waiting."""
    scored = threading.Event()
    monkeypatch.setattr(conductor, "observe_pair", lambda *_args, **_words: scored.wait(60))

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await _until_watched(server, LINE)
            (watched,) = server.app._health.shadowing._watched.values()
            for number in range(120):
                await server.generate(f"mine {number}", adapters=[str(LINE)], seed=5)

            most = OBSERVATIONS_PER_ACT_MAX + server.app._health.shadowing._pairs_max
            assert 0 < watched.pairs.qsize() <= most
            scored.set()

    asyncio.run(walk())


@pytest.mark.parametrize("policy", ["flag", "blur", "withhold"])
def test_what_callers_were_not_shown_as_drawn_is_no_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Any
) -> None:
    """A blur of ours would be taken for the release's; what is only flagged is as it was drawn."""
    begun: list[Any] = []
    pairs: list[Any] = []

    async def walk() -> None:
        eye = Eye(sees=scores(nsfw=1.0))
        async with serving(tmp_path, classify=eye, safety=safety(policy)) as server:
            await prepare(server)
            paint(server, monkeypatch)
            start(server, f"{LINE}@{EQUAL}")
            await _until_watched(server, LINE)
            shadowing = server.app._health.shadowing
            begin = shadowing._begin
            monkeypatch.setattr(shadowing, "_begin", lambda *of: begun.append(of) or begin(*of))
            watched = next(iter(shadowing._watched.values()))
            monkeypatch.setattr(watched.pairs, "put_nowait", pairs.append)
            request = Request(
                prompt="mine", seed=5, num_inference_steps=2, adapters=refs(str(LINE))
            )
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for _event in server.generation.Generate(request):
                    pass
            await until(lambda: not shadowing._drawing)

    asyncio.run(walk())
    assert len(begun) == 1
    assert len(pairs) == (policy == "flag")


async def _until_watched(server: Server, name: AdapterName) -> None:
    """Wait until pairs are wanted for the canary of a line."""
    watched = server.app._health.shadowing._watched
    await until(lambda: any(one.adapter == name and one.wants_pairs for one in watched.values()))


def _stacks(engine: FakeEngine, prompt: str) -> list[Any]:
    """Return what was worn for a prompt, each once."""
    rows = [spec for batch in engine.batches for spec in batch if spec.drawing.prompt == prompt]
    found = {tuple((one.digest, weight) for one, weight in spec.stack): spec for spec in rows}
    return [spec.stack for spec in found.values()]
