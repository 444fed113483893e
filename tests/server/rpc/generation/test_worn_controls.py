# SPDX-License-Identifier: Apache-2.0
"""Controls of an adapter, from every door to the engine's row, into the file and out again."""

import asyncio
import re
from typing import Any

import pytest

from tabard import AsyncClient, GenerateResult, InvalidArgument, Replay, Wear
from tabard_server.engine_port.weights.strength import Controls, Point, Strength
from tests.server.fakes import FakeEngine
from tests.server.harness import chunks_of, lora_file, serving

SAID = "te=0.3:unet=0.5@0,1@0.6:start=0.25:IN01=0.5:MID=0"
CONTROLS = Controls(
    text_encoder=0.3,
    unet=(Point(0.5, 0.0), Point(1.0, 0.6)),
    start=0.25,
    blocks=(("IN01", 0.5), ("MID", 0.0)),
)
WEAR = Wear(
    ref="acme/ink@1.0.0",
    weight=0.5,
    text_encoder=0.3,
    points=((0.5, 0), (1, 0.6)),
    start=0.25,
    blocks={"in1": 0.5, "M00": 0},
)
ASKED: dict[str, dict[str, Any]] = {
    "ref": {"prompt": "a cat", "adapters": f"acme/ink@1.0.0:0.5:{SAID}"},
    "curve": {
        "prompt": "a cat",
        "adapters": ["acme/ink@1.0.0:0.5@0,1@0.6:te=0.3:start=0.25:lbw=1,0.5,0"],
    },
    "message": {"prompt": "a cat", "adapters": WEAR},
    "tag": {"prompt": f"a cat <lora:acme/ink@1.0.0:0.5:{SAID}>"},
    "recipe": {"prompt": "a cat", "adapters": [f"acme/mix@1.0.0:1:{SAID}"]},
    "plain": {"prompt": "a cat", "adapters": ["acme/ink@1.0.0:0.5"]},
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one server made of the same controls, said in every way."""
    folder = tmp_path_factory.mktemp("controls")
    engine, file = FakeEngine(), folder / "ink.safetensors"
    file.write_bytes(lora_file())

    async def walk() -> dict[str, Any]:
        async with serving(folder, engine=engine) as server, AsyncClient(server.address) as client:
            await client.publish("acme/ink", file, version="1.0.0")
            await client.promote("acme/ink@1.0.0", channel="stable")
            await client.publish_recipe("acme/mix", ["acme/ink@1.0.0:0.5"], version="1.0.0")
            found: dict[str, Any] = {"rows": {}}
            for name, said in ASKED.items():
                before = len(engine.batches)
                result = await client.generate(
                    **said, seed=3, num_inference_steps=4, deterministic=True
                )
                found[name] = result
                found["rows"][name] = engine.batches[before][0].stack[0][1]
                found[f"{name} again"] = await client.replay(result.images[0].content)
            tag = re.search(
                r"<lora:[^>]*>", chunks_of(found["ref"].images[0].content)["parameters"]
            )
            assert tag is not None
            found["printed"] = tag[0]
            found["read"] = await client.generate(f"a cat {tag[0]}", seed=3, num_inference_steps=4)
            with pytest.raises(InvalidArgument) as caught:
                await client.publish_recipe("acme/mix", ["acme/ink:1:te=0"], version="2.0.0")
            found["refused"] = caught.value
            return found

    return asyncio.run(walk())


@pytest.mark.parametrize("name", ["ref", "curve", "message", "tag"])
def test_every_way_of_saying_is_one(drawn: dict[str, Any], name: str) -> None:
    """A text, a curve and a list, a message, a tag: the engine is asked for the same row."""
    result: GenerateResult = drawn[name]

    assert drawn["rows"][name] == Strength(weight=0.5, controls=CONTROLS)
    assert (result.worn[0].weight, result.worn[0].controls) == (0.5, SAID)
    (told,) = result.images[0].provenance["stack"]
    assert (told["weight"], told["controls"]) == (0.5, SAID)


@pytest.mark.parametrize("name", ASKED)
def test_file_replays_to_itself(drawn: dict[str, Any], name: str) -> None:
    """What the file says is all there is to say."""
    again: Replay = drawn[f"{name} again"]

    assert again.outcome == "same_file"


def test_member_takes_the_controls_of_its_recipe(drawn: dict[str, Any]) -> None:
    """Its weights are multiplied; both are told."""
    result: GenerateResult = drawn["recipe"]
    (worn,) = result.worn

    assert drawn["rows"]["recipe"] == Strength(weight=0.5, controls=CONTROLS.scaled(0.5))
    assert worn.controls == "te=0.15:unet=0.25@0,0.5@0.6:start=0.25:IN01=0.5:MID=0"
    assert worn.recipe is not None and worn.recipe.controls == SAID
    assert result.images[0].provenance["stack"][0]["recipe"]["controls"] == SAID


def test_what_a1111_reads_is_a_tag_that_draws_the_same(drawn: dict[str, Any]) -> None:
    """The printed tag, said in a prompt, is worn so."""
    assert drawn["printed"] == f"<lora:acme/ink:0.5:{SAID}>"
    assert drawn["read"].worn[0].controls == SAID


def test_nothing_said_leaves_no_trace(drawn: dict[str, Any]) -> None:
    """A weight alone is a number to the engine, and the file says what it always said."""
    assert drawn["rows"]["plain"] == 0.5
    assert "controls" not in drawn["plain"].images[0].provenance["stack"][0]


def test_member_with_controls_is_refused(drawn: dict[str, Any]) -> None:
    """Its members have weights; controls are said where it is drawn."""
    assert drawn["refused"].reason == "INVALID_WEIGHT"
