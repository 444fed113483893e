# SPDX-License-Identifier: Apache-2.0
"""Regions of a picture, from every door to the engine's row, into the file and out again."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from tabard import AsyncClient, InvalidArgument, Region, Wear
from tests.server.fakes import FakeEngine
from tests.server.harness import (
    KIND_TEXTUAL_INVERSION,
    Refusal,
    Request,
    chunks_of,
    lora_file,
    refs,
    refusal_of,
    serving,
    small_limits,
    token_file,
)
from tests.server.output.made_pictures import bomb, encode, picture

MASK = encode(Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))))
HAT = Region(name="hat", mask=MASK, prompt="a tall hat")
LEFT = Region(name="left", boxes="0.0,0,.5,1")
ASKED: dict[str, dict[str, Any]] = {
    "named": {"adapters": ["acme/ink:0.5:region=left"], "regions": [LEFT]},
    "wear": {"adapters": [Wear(ref="acme/ink:0.5", region="left")], "regions": [LEFT]},
    "tag": {"prompt": "a cat <lora:acme/ink:0.5:region=left>", "regions": [LEFT]},
    "boxes": {"adapters": ["acme/ink:0.5:region=0,0,0.5,1"]},
    "mask": {"adapters": ["acme/ink:0.5:region=hat"], "regions": [HAT]},
    "words": {"regions": [Region(name="left", boxes="0,0,0.5,1", prompt="a dog")]},
    "plain": {"adapters": ["acme/ink:0.5"]},
}
AGAIN: dict[str, dict[str, Any]] = {"mask": {"region_masks": {"hat": MASK}}}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one server made of regions, said in every way."""
    folder = tmp_path_factory.mktemp("regions")
    engine, file = FakeEngine(), folder / "ink.safetensors"
    file.write_bytes(lora_file())

    async def walk() -> dict[str, Any]:
        async with serving(folder, engine=engine) as server, AsyncClient(server.address) as client:
            await client.publish("acme/ink", file, version="1.0.0")
            await client.promote("acme/ink@1.0.0", channel="stable")
            found: dict[str, Any] = {"rows": {}, "again": {}}
            for name, said in ASKED.items():
                before = len(engine.batches)
                result = await client.generate(
                    **{"prompt": "a cat"} | said, seed=3, num_inference_steps=2, deterministic=True
                )
                found[name] = result
                found["rows"][name] = engine.batches[before][0]
                png = result.images[0].content
                found["again"][name] = await client.replay(png, **AGAIN.get(name, {}))
            png = found["mask"].images[0].content
            for masks in ({}, {"hat": encode(picture(size=(64, 64)))}, {"hat": MASK, "cap": MASK}):
                with pytest.raises(InvalidArgument) as caught:
                    await client.replay(png, region_masks=masks)
                found.setdefault("refused", []).append(caught.value)
            return found

    return asyncio.run(walk())


@pytest.mark.parametrize("name", ["named", "wear", "tag"])
def test_every_way_of_saying_is_one(drawn: dict[str, Any], name: str) -> None:
    """The engine is asked for the same row; the file names the region and who is worn there."""
    row, told = drawn["rows"][name], drawn[name].images[0].provenance

    assert row.drawing.part_names == ("", "left")
    assert row.stack[0][1].controls.region == "left"
    assert not row.is_steady
    assert told["stack"][0]["controls"] == drawn[name].worn[0].controls == "region=left"
    assert told["regions"] == [{"name": "left", "boxes": "0,0,0.5,1"}]
    text = chunks_of(drawn[name].images[0].content)["parameters"]
    assert "<lora:acme/ink:0.5:region=left>" in text
    assert 'Regions: "left=0,0,0.5,1"' in text


def test_boxes_alone_need_no_region(drawn: dict[str, Any]) -> None:
    """They stand behind the adapter, here and in the file."""
    row, told = drawn["rows"]["boxes"], drawn["boxes"].images[0].provenance

    assert row.drawing.part_names == ("", "0,0,0.5,1")
    assert told["stack"][0]["controls"] == "region=0,0,0.5,1"
    assert "regions" not in told


def test_mask_is_named_by_its_digest(drawn: dict[str, Any]) -> None:
    """Its grey is what it was, and its prompt is told beside it."""
    row, told = drawn["rows"]["mask"], drawn["mask"].images[0].provenance

    rest, hat = row.drawing.regions
    assert (rest.prompt, hat.prompt) == ("a cat", "a tall hat")
    assert np.allclose(hat.shares[0], [(8 * n * 4 + 14) / 255 for n in range(8)])
    assert np.allclose(rest.shares + hat.shares, 1.0)
    digest = hashlib.sha256(MASK).hexdigest()
    assert told["regions"] == [{"name": "hat", "mask": {"sha256": digest}, "prompt": "a tall hat"}]


def test_words_alone_are_a_region(drawn: dict[str, Any]) -> None:
    """Nothing is worn anywhere, and two prompts are drawn."""
    assert drawn["rows"]["words"].drawing.prompts == ("a cat", "a dog")
    assert drawn["rows"]["words"].is_steady


def test_nothing_said_leaves_no_trace(drawn: dict[str, Any]) -> None:
    """A row without regions is one as it always was."""
    assert drawn["rows"]["plain"].drawing.regions == ()
    assert "regions" not in drawn["plain"].images[0].provenance


@pytest.mark.parametrize("name", ASKED)
def test_file_replays_to_itself(drawn: dict[str, Any], name: str) -> None:
    """From what it says, and from the mask where there was one."""
    assert drawn["again"][name].outcome == "same_file"


def test_replay_needs_the_very_mask(drawn: dict[str, Any]) -> None:
    """One that is missing, another one, one too many."""
    reasons = [error.reason for error in drawn["refused"]]

    assert reasons == ["IMAGE_NEEDED", "IMAGE_MISMATCH", "IMAGE_MISMATCH"]
    assert "region_masks['hat']" in str(drawn["refused"][1])


def _mask(**changes: Any) -> dict[str, Any]:
    return {"adapters": refs("acme/ink:1:region=a"), "regions": [{"name": "a"} | changes]}


def _grey(size: tuple[int, int], *, mode: str = "L") -> bytes:
    return encode(picture(mode, size=size))


CLEAR = encode(Image.new("RGBA", (64, 64), (255, 255, 255, 0)))
BLACK = encode(Image.new("L", (64, 64)))
DEEP = encode(Image.new("I;16", (64, 64)))
REFUSED: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"adapters": refs("acme/ink:1:region=hat")}, "REGION_UNKNOWN", "adapters"),
    ({"adapters": refs("acme/ink:1:region=0,0,2,1")}, "REGION_OUT_OF_RANGE", "adapters"),
    ({"adapters": refs("acme/ink:1:region=0,0,x,1")}, "CONTROL_MALFORMED", "adapters[0]"),
    ({"prompt": "a <lora:acme/ink:1:region=?>"}, "CONTROL_MALFORMED", "prompt"),
    (
        {"adapters": [{"ref": "acme/ink", "controls": {"region": "0,0,1"}}]},
        "CONTROL_MALFORMED",
        "adapters[0]",
    ),
    ({"regions": [{"name": "a", "boxes": "0,0,1,1"}]}, "REGION_UNUSED", "regions[0]"),
    ({"regions": [{"name": "a", "prompt": "x"}]}, "REGION_EMPTY", "regions[0]"),
    (_mask(boxes="0,0,1,1", mask=BLACK), "CONTROL_CONTRADICTED", "regions[0]"),
    (_mask(boxes="0.5,0,0.5,1"), "REGION_OUT_OF_RANGE", "regions[0].boxes"),
    (_mask(boxes="0,0,0.001,1"), "REGION_EMPTY", "regions[0]"),
    (_mask(boxes="all"), "CONTROL_MALFORMED", "regions[0].boxes"),
    (_mask(mask=BLACK), "REGION_EMPTY", "regions[0].mask"),
    (_mask(mask=_grey((64, 32))), "MASK_SIZE_DIFFERS", "regions[0].mask"),
    (_mask(mask=CLEAR), "IMAGE_TRANSPARENT", "regions[0].mask"),
    (_mask(mask=DEEP), "IMAGE_NOT_READABLE", "regions[0].mask"),
    (_mask(mask=b""), "IMAGE_NOT_READABLE", "regions[0].mask"),
    (_mask(mask=BLACK[:60]), "IMAGE_NOT_READABLE", "regions[0].mask"),
    (_mask(mask=bomb(9_000)), "IMAGE_TOO_LARGE", "regions[0].mask"),
    (_mask(mask=bytes(1 << 21)), "IMAGE_TOO_LARGE", "regions.mask"),
    ({"regions": [{"name": "a", "boxes": "0,0,1,1"}] * 100}, "TOO_MANY_REGIONS", "regions"),
    (
        {
            "adapters": refs("acme/ink:1:region=0,0,1,1", "acme/pen:1:region=0,0,0.5,1"),
            "regions": [{"name": "a", "boxes": "0,0,1,1", "prompt": "a dog"}],
        },
        "TOO_MANY_REGIONS",
        "regions",
    ),
    ({"regions": [{"name": "a b", "boxes": "0,0,1,1"}]}, "FIELD_INVALID", "regions[0].name"),
    (_mask(boxes="0,0,1,1", prompt="<lora:acme/pen:1>"), "TAG_NOT_SUPPORTED", "regions[0].prompt"),
    (_mask(boxes="0,0,1,1", prompt="a {trigger}"), "TAG_NOT_SUPPORTED", "regions[0].prompt"),
    (_mask(boxes="0,0,1,1", prompt="word " * 31), "PROMPT_TOO_LONG", "regions[0].prompt"),
    (_mask(boxes="0,0,1,1", prompt="a\0b"), "PROMPT_INVALID", "regions[0].prompt"),
    (
        _mask(boxes="0,0,1,1", prompt="embedding:teal"),
        "EMBEDDING_NOT_WORN",
        "regions[0].prompt",
    ),
    (
        {"adapters": refs("acme/teal@1.0.0:1:region=0,0,1,1"), "prompt": "<teal>"},
        "WEIGHT_NOT_SUPPORTED",
        "adapters",
    ),
)
SERVED: tuple[dict[str, Any], ...] = (
    _mask(mask=_grey((64, 64))),
    _mask(mask=_grey((64, 64), mode="RGB")),
    _mask(mask=_grey((64, 64), mode="P")),
    _mask(mask=_grey((64, 64), mode="1")),
    _mask(mask=encode(Image.new("RGBA", (64, 64), (9, 9, 9, 255)))),
    _mask(mask=_grey((32, 16))) | {"width": 32, "height": 16},
    _mask(mask=_grey((64, 64))) | {"image": encode(picture(size=(64, 64))), "strength": 0.5},
    _mask(boxes="0,0,1,1", prompt="<teal>") | {"adapters": refs("acme/teal@1.0.0")},
)
"""Grey, colours, a palette, black and white, a coat without holes; of the size that is drawn."""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[Refusal]:
    """Send every wrong request to one server, which must still draw afterwards."""

    async def walk(folder: Path) -> list[Refusal]:
        limits = small_limits(regions_per_request_max=2)
        async with serving(folder, limits=limits) as server:
            for name in ("acme/ink", "acme/pen"):
                await server.publish(name)
                await server.promote(f"{name}@1.0.0")
            await server.publish(
                "acme/teal", content=token_file("<teal>"), kind=KIND_TEXTUAL_INVERSION
            )
            told = []
            for said, _, _ in REFUSED:
                request = Request(**{"prompt": "a cat"} | said)
                told.append(await refusal_of(server.generation.Generate(request)))
            for said in SERVED:
                request = Request(**{"prompt": "a cat", "num_inference_steps": 2} | said)
                kinds = [e.WhichOneof("event") async for e in server.generation.Generate(request)]
                assert kinds[-1] == "done"
            assert server.app.generation.jobs_left == 0
            return told

    return asyncio.run(walk(tmp_path_factory.mktemp("bad")))


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=lambda n: f"{REFUSED[n][1]}-{n}")
def test_wrong_region_is_told_why(number: int, refusals: list[Refusal]) -> None:
    """Status, reason, the field concerned, and advice."""
    _, reason, field = REFUSED[number]
    refusal = refusals[number]

    assert (refusal.reason, refusal.code) == (reason, grpc.StatusCode.INVALID_ARGUMENT)
    assert field in refusal.fields
    assert refusal.hint
