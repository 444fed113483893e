# SPDX-License-Identifier: Apache-2.0
"""Evaluations over real gRPC: what is told, what is drawn once, who waits, what is refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tabard.v1 import evaluation_service_pb2 as pb
from tests.server.evaluation.wishes.asking import (
    PROMPTS,
    ask,
    evaluate,
    grid_document,
    prepare,
    stub,
)
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, refusal_of, serving, small_limits, until

STEPS = 8


def test_evaluation_is_told_in_order(tmp_path: Path) -> None:
    """Started, every cell with its pictures, scores, and at the end a verdict with its report."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            events = await evaluate(server, ask(with_pictures=True))

            kinds = [event.WhichOneof("event") for event in events]
            cells = [event.cell for event in events if event.HasField("cell")]
            assert kinds[0] == "started"
            assert kinds[-2:] == ["scores", "verdict"]
            assert events[0].started.against_version == "1.0.0"
            assert events[0].started.reference_source == pb.REFERENCE_SOURCE_AGAINST
            assert len(cells) == events[0].started.cell_count == 2 * PROMPTS
            sides = {picture.side: picture for picture in cells[0].pictures}
            assert set(sides) == {"candidate", "against", "base"}
            assert all(one.png.startswith(b"\x89PNG") for one in sides.values())
            report = json.loads(events[-1].verdict.report)
            assert len(report["candidates"]) == 2 * PROMPTS
            assert report["technical"]["latent_size"] == [8, 8]

    asyncio.run(walk())


def test_sides_of_a_cell_share_batches(tmp_path: Path) -> None:
    """The release, what it would replace and the base are drawn in one batch, with one seed."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(background_rows_max=3)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            await prepare(server)
            request = ask(grid_document=grid_document(steps=STEPS))
            evaluating = asyncio.ensure_future(evaluate(server, request))
            for cell in range(2 * PROMPTS):
                # Some may be at a step before the others have come; there are steps left for all.
                await until(lambda: server.app.room.depth + engine.open_count == 3)
                while sum(map(len, engine.batches)) < 3 * STEPS * (cell + 1):
                    taken = len(engine.batches)
                    engine.allow(1)
                    await until(lambda taken=taken: len(engine.batches) > taken)
            await evaluating

    asyncio.run(walk())

    together: dict[tuple[str, int], int] = {}
    for batch in engine.batches:
        for cell in {(spec.drawing.prompt, spec.seed) for spec in batch}:
            count = sum((spec.drawing.prompt, spec.seed) == cell for spec in batch)
            together[cell] = max(count, together.get(cell, 0))
    assert set(together.values()) == {3}
    assert max(map(len, engine.batches)) == 3


def test_caller_waits_one_bounded_step(tmp_path: Path) -> None:
    """A caller beside an evaluation waits for the step under way, of so many rows, and no other."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        limits = small_limits(background_rows_max=3)
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            await prepare(server)
            request = ask(grid_document=grid_document(steps=100))
            evaluating = asyncio.ensure_future(evaluate(server, request))
            await until(lambda: server.app.generation.jobs_left == 3)
            allowed = 0
            while engine.open_count < 3:
                engine.allow(1)
                allowed += 1
                await until(lambda count=allowed: len(engine.batches) == count)
            caller = server.generation.Generate(Request(prompt="mine", num_inference_steps=2))
            await until(lambda: server.app.room.depth == 1)
            engine.allow(2)
            await until(lambda: len(engine.batches) == allowed + 2)

            under_way, next_one = engine.batches[allowed:]
            assert len(under_way) <= 3
            assert [spec.drawing.prompt for spec in next_one] == ["mine"]
            engine.let_go()
            async for _event in caller:
                pass
            await evaluating

    asyncio.run(walk())


def test_nothing_is_judged_twice(tmp_path: Path) -> None:
    """Asked again, and by two at once, there is one report, and nothing is drawn anew."""
    engine = FakeEngine()

    async def walk() -> None:
        limits = small_limits()
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            await prepare(server)
            both = await asyncio.gather(evaluate(server, ask()), evaluate(server, ask()))
            drawn = sum(map(len, engine.batches))
            again = await evaluate(server, ask())

            verdicts = [events[-1].verdict for events in (*both, again)]
            assert sorted(one.created for one in verdicts) == [False, False, True]
            assert len({one.report_digest for one in verdicts}) == 1
            assert drawn == sum(map(len, engine.batches)) == 2 * 3 * 2 * PROMPTS

    asyncio.run(walk())


def test_cancelled_evaluation_goes_on(tmp_path: Path) -> None:
    """Who leaves ends the drawing within a step; asked again, what was drawn is taken as it is."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            call = stub(server).Evaluate(ask())
            seen = 0
            async for event in call:
                seen += event.HasField("cell")
                if seen == 4:
                    break
            call.cancel()
            await until(lambda: server.app.generation.jobs_left == 0)
            events = await evaluate(server, ask())

            kept = [p.was_kept for e in events if e.HasField("cell") for p in e.cell.pictures]
            assert sum(kept) >= 3 * 4
            assert not all(kept)
            assert events[-1].verdict.created

    asyncio.run(walk())


def test_drain_ends_an_evaluation(tmp_path: Path) -> None:
    """A draining server draws what it has begun, and says that it takes no more."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            evaluating = asyncio.ensure_future(refusal_of(stub(server).Evaluate(ask())))
            await until(lambda: engine.open_count > 0)
            server.app.drain()
            engine.let_go()

            assert (await evaluating).reason == "DRAINING"

    asyncio.run(walk())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"grid_document": grid_document(prompts=11)}, "GRID_EMPTY"),
        ({"grid_document": grid_document(seeds=[])}, "GRID_EMPTY"),
        ({"grid_document": grid_document(prompts=65)}, "GRID_TOO_LARGE"),
        ({"grid_document": b"{}"}, "FIELD_INVALID"),
        ({"grid_document": grid_document(text="<lora:acme/ink> {trigger}")}, "GRID_NAMES_ADAPTER"),
        ({"grid_document": grid_document(text="a star")}, "TRIGGER_MISSING"),
        ({"grid_document": b"", "grid": "nothing"}, "GRID_NOT_FOUND"),
        ({"references": [b"x", b"y", b"z"]}, "REFERENCES_TOO_FEW"),
        ({"references": [b"a", b"b", b"c", b"d"]}, "IMAGE_NOT_READABLE"),
        ({"references": [b"x"] * 65}, "REFERENCES_TOO_MANY"),
        ({"ref": "acme/first"}, "REFERENCES_MISSING"),
        ({"ref": "acme/nobody"}, "ADAPTER_NOT_FOUND"),
        ({"ref": "acme/ink@1.0.0"}, "REFERENCES_MISSING"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    """Each says what to do, and nothing was drawn for it."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink", "1.0.0", trigger_words=["ink style"])
            await server.publish("acme/ink", "1.1.0", trigger_words=["ink style"])
            await server.promote("acme/ink@1.0.0")
            await server.publish("acme/first")
            await server.promote("acme/first@1.0.0")

            refusal = await refusal_of(stub(server).Evaluate(ask(**fields)))

            assert refusal.reason == reason
            assert refusal.hint
            assert engine.batches == []

    asyncio.run(walk())


def test_quarantined_release_is_refused(tmp_path: Path) -> None:
    """Nobody is served with it, and it is not drawn to be judged either."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            await server.quarantine("acme/ink@1.1.0")

            refusal = await refusal_of(stub(server).Evaluate(ask()))

            assert refusal.reason == "RELEASE_QUARANTINED"

    asyncio.run(walk())


def test_recipe_is_evaluated(tmp_path: Path) -> None:
    """A combination is judged like anything that can be worn."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            await server.publish("acme/wash")
            await server.publish_recipe("acme/both", "acme/ink@1.0.0", "acme/wash@1.0.0:0.5")

            request = ask("acme/both@1.0.0", against="acme/ink@1.0.0")
            events = await evaluate(server, request)

            assert events[-1].HasField("verdict")

    asyncio.run(walk())
