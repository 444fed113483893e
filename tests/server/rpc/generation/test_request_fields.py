# SPDX-License-Identifier: Apache-2.0
"""What a request may say, from the message over gRPC to the row that the engine is asked for."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard import AsyncClient, GeneratedImage, InvalidArgument, Preview, ResourceExhausted
from tabard_registry import BaseProfile
from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.walk import Walk
from tabard_server.limits import Limits
from tabard_server.output.marking import COMPOSITE, TRAINED, XMP_CHUNK
from tests.server.fakes import BASE_FACTS, PROFILE, FakeEngine
from tests.server.harness import chunks_of, lora_file, provenance_of, serving
from tests.server.output.made_pictures import encode, picture
from tests.server.output.png_chunks import chunks_in_order

SDXL: BaseProfile = replace(PROFILE, family="sdxl")
SQUARE = Image.new("RGB", (64, 64))


def draw(folder: Path, *, profile: BaseProfile = PROFILE, **options: Any) -> tuple[Drawing, bytes]:
    """Draw one image through the SDK; return what the engine was asked for, and the PNG."""
    facts = replace(BASE_FACTS, takes_sizes=profile is SDXL)
    engine = FakeEngine(profile=profile, facts=facts)

    async def walk() -> bytes:
        async with serving(folder, engine=engine) as server, AsyncClient(server.address) as client:
            prompt = options.pop("prompt", "a cat")
            said = {"num_inference_steps": 4, "seed": 1} | options
            result = await client.generate(prompt, **said)
            return result.images[0].content

    png = asyncio.run(walk())
    return engine.batches[0][0].drawing, png


def facts_of(png: bytes) -> dict[str, str]:
    """Return the last line that A1111 reads, taken apart."""
    line = chunks_of(png)["parameters"].splitlines()[-1]
    return dict(fact.split(": ", 1) for fact in line.split(", ") if ": " in fact)


def test_nothing_said_leaves_no_trace(tmp_path: Path) -> None:
    """A plain request is drawn, and told in its file, as it always was."""
    drawing, png = draw(tmp_path)

    known = {"tabard", "base", "registry", "stack", "prompt", "negative_prompt", "seed", "engine"}
    known |= {"sampler", "steps", "guidance_scale", "width", "height", "deterministic", "versions"}
    assert set(provenance_of(png)) == known
    assert set(facts_of(png)) == {
        *("Steps", "Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model", "Version")
    }
    assert (drawing.clip_skip, drawing.picture, drawing.style.syntax) == (0, None, "plain")
    assert (drawing.original_size, drawing.crop_top_left, drawing.target_size) == (None, None, None)


def test_reading_reaches_row_and_file(tmp_path: Path) -> None:
    """Clip skip and syntax shape the row; A1111 is told its own number of layers."""
    said = {"clip_skip": 1, "prompt_syntax": "a1111", "token_match": "anywhere"}
    drawing, png = draw(tmp_path, prompt="a (cat:1.2)", **said)

    document = provenance_of(png)
    assert (drawing.style.token_match, document["token_match"]) == ("anywhere", "anywhere")
    assert (drawing.clip_skip, drawing.style.syntax, drawing.style.windows_max) == (1, "a1111", 4)
    assert (document["clip_skip"], document["prompt_syntax"]) == (1, "a1111")
    assert facts_of(png)["Clip skip"] == "2"


def test_walk_reaches_row_and_file(tmp_path: Path) -> None:
    """How steps lie shapes the row, and the file says it in our words and in A1111's."""
    drawing, png = draw(
        tmp_path, sampler="Euler", schedule="SGM Uniform", timestep_spacing="Trailing"
    )

    assert drawing.walk == Walk(schedule="sgm_uniform", timestep_spacing="trailing")
    document, facts = provenance_of(png), facts_of(png)
    assert (document["schedule"], document["timestep_spacing"]) == ("sgm_uniform", "trailing")
    assert (facts["Schedule type"], facts["Timestep spacing"]) == ("SGM Uniform", "trailing")


def test_listed_steps_reach_row_and_file(tmp_path: Path) -> None:
    """A list of steps stands for their number."""
    said: dict[str, Any] = {"sampler": "euler", "num_inference_steps": None}
    drawing, png = draw(tmp_path, **said, sigmas=[14.5, 1.25, 0.0])
    other, _ = draw(tmp_path, **said, timesteps=(999, 499, 1))
    noisy, noisy_png = draw(tmp_path, sampler="ddim", eta=0.5)

    assert (drawing.walk.sigmas, drawing.steps) == ((14.5, 1.25, 0.0), 2)
    assert provenance_of(png)["sigmas"] == [14.5, 1.25, 0.0]
    assert 'Sigmas: "14.5, 1.25, 0.0"' in chunks_of(png)["parameters"]
    assert (other.walk.timesteps, other.steps) == ((999, 499, 1), 3)
    assert noisy.walk.eta == provenance_of(noisy_png)["eta"] == 0.5
    assert facts_of(noisy_png)["Eta"] == "0.5"


def test_triggers_of_the_manifest_are_put_in(tmp_path: Path) -> None:
    """Whatever is shown of the release now; the file says which, and replays to itself."""
    engine, file = FakeEngine(), tmp_path / "ink.safetensors"
    file.write_bytes(lora_file())

    async def walk() -> tuple[Any, ...]:
        async with (
            serving(tmp_path, engine=engine) as server,
            AsyncClient(server.address) as client,
        ):
            await client.publish("acme/ink", file, version="1.0.0", trigger_words=["inky"])
            await client.edit("acme/ink@1.0.0", trigger_words=["other"])
            said: dict[str, Any] = {"adapters": "acme/ink@1.0.0", "seed": 1, "deterministic": True}
            said["num_inference_steps"] = 2
            placed = await client.generate("a {trigger} cat", **said)
            front = await client.generate("a cat", auto_trigger=True, **said)
            return placed, front, await client.replay(front.images[0].content)

    placed, front, again = asyncio.run(walk())

    assert [batch[0].drawing.prompt for batch in engine.batches[::2]] == [
        "a inky cat",
        "inky, a cat",
        "inky, a cat",
    ]
    told = [one.images[0].provenance["trigger"] for one in (placed, front)]
    assert told == [
        {"prompt": "a {trigger} cat", "auto": False, "words": ["inky"]},
        {"prompt": "a cat", "auto": True, "words": ["inky"]},
    ]
    assert placed.images[0].provenance["prompt"] == "a inky cat"
    assert again.outcome == "same_file"


def test_every_picture_is_marked(tmp_path: Path) -> None:
    """Behind A1111's text and our own, previews too; over a picture it is a composite."""

    async def walk() -> list[bytes]:
        async with serving(tmp_path) as server, AsyncClient(server.address) as client:
            plain = client.stream("x", num_inference_steps=2, preview_every=1)
            found = [
                one.content async for one in plain if isinstance(one, Preview | GeneratedImage)
            ]
            over = await client.generate("x", num_inference_steps=2, image=SQUARE)
            return [*found, over.images[0].content]

    preview, *_, image, over = asyncio.run(walk())

    keywords = [name for _kind, name in chunks_in_order(image) if name]
    assert keywords == ["parameters", "tabard", XMP_CHUNK]
    assert [name for _kind, name in chunks_in_order(preview) if name] == [XMP_CHUNK]
    assert TRAINED in chunks_of(image)[XMP_CHUNK] and TRAINED in chunks_of(preview)[XMP_CHUNK]
    assert COMPOSITE in chunks_of(over)[XMP_CHUNK]


def test_long_prompt_is_drawn_when_allowed(tmp_path: Path) -> None:
    """Windows that a request allows make room, and the file says how many were filled."""
    drawing, png = draw(tmp_path, prompt="word " * 40, prompt_windows_max=3)

    assert drawing.style.windows_max == 3
    assert provenance_of(png)["prompt_windows"] == 2


def test_picture_reaches_row_and_file(tmp_path: Path) -> None:
    """A picture gives its pixels and its size; its file's hash stands in the image."""
    image = picture(size=(56, 40))

    drawing, png = draw(tmp_path, image=encode(image), strength=0.5)

    sha256 = hashlib.sha256(encode(image)).hexdigest()
    assert drawing.picture is not None
    assert np.array_equal(drawing.picture.pixels, np.asarray(image))
    assert (drawing.width, drawing.height, drawing.strength) == (56, 40, 0.5)
    assert provenance_of(png)["image"] == {"sha256": sha256, "width": 56, "height": 40}
    facts = facts_of(png)
    assert (facts["Denoising strength"], facts["Mask"]) == ("0.5", "no")
    assert facts["Image hash"] == sha256[:12]


def test_mask_reaches_row_and_file(tmp_path: Path) -> None:
    """A mask says where; without a strength all of that is redrawn."""
    mask = picture("L", size=(56, 40))
    file = tmp_path / "mask.png"
    mask.save(file)

    drawing, png = draw(tmp_path, image=picture(size=(56, 40)), mask_image=file)

    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert drawing.picture is not None and drawing.picture.mask is not None
    assert np.array_equal(drawing.picture.mask, np.asarray(mask))
    assert drawing.strength == 1.0
    assert provenance_of(png)["mask_image"] == {"sha256": sha256}
    assert (facts_of(png)["Mask"], facts_of(png)["Mask hash"]) == ("yes", sha256[:12])


def test_sizes_reach_row_and_file(tmp_path: Path) -> None:
    """Diffusers' order on the outside, heights first, is width and height within."""
    drawing, png = draw(
        tmp_path,
        profile=SDXL,
        original_size=(128, 256),
        crops_coords_top_left=(8, 16),
        target_size=(32, 96),
    )

    document = provenance_of(png)
    assert drawing.time_ids == (128, 256, 8, 16, 32, 96)
    assert document["original_size"] == {"width": 256, "height": 128}
    assert document["crop_top_left"] == {"top": 8, "left": 16}
    assert document["target_size"] == {"width": 96, "height": 32}
    assert facts_of(png)["Original size"] == "256x128"


def test_equal_pictures_leave_equal_files(tmp_path: Path) -> None:
    """A deterministic request with everything said is the same file, byte for byte."""
    said = {"prompt": "a (cat)", "prompt_syntax": "a1111", "clip_skip": 2, "deterministic": True}
    said |= {"image": encode(picture(size=(64, 64))), "mask_image": picture("L", size=(64, 64))}
    files = [draw(tmp_path, **dict(said))[1] for _ in range(2)]

    assert files[0] == files[1]


REFUSED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "IMAGE_NOT_READABLE": ("image", {"image": b"nothing"}),
    "SIZE_INCOMPLETE": ("height", {"image": SQUARE, "width": 64}),
    "IMAGE_SIZE_NOT_DRAWABLE": ("image", {"image": Image.new("RGB", (2000, 2000))}),
    "STRENGTH_TOO_SMALL": ("strength", {"image": SQUARE, "strength": 0.01}),
    "PROMPT_SYNTAX_NOT_SERVED": ("prompt", {"prompt": "[a|b]", "prompt_syntax": "a1111"}),
    "PROMPT_TOO_LONG": ("prompt", {"prompt": "word " * 40}),
    "SAMPLER_NOT_SERVED": ("sampler", {"sampler": "lms"}),
}


def test_refusals_name_their_fields(tmp_path: Path) -> None:
    """What cannot be drawn is refused at the door: the field, a reason, and what to do."""
    refusals: dict[str, InvalidArgument] = {}

    async def walk() -> None:
        async with serving(tmp_path) as server, AsyncClient(server.address) as client:
            for reason, (_field, options) in REFUSED.items():
                with pytest.raises(InvalidArgument) as caught:
                    await client.generate(**{"prompt": "a cat", **options})
                refusals[reason] = caught.value

    asyncio.run(walk())

    for reason, refusal in refusals.items():
        assert refusal.reason == reason
        assert [violation.field for violation in refusal.violations] == [REFUSED[reason][0]]
        assert refusal.hint


def test_picture_of_limits_size_arrives(tmp_path: Path) -> None:
    """Two files of the largest size fit into a message; gRPC's own refusal is told in words."""
    limits = Limits()
    most = bytes(limits.picture_bytes_max)
    refusals: list[Any] = []

    async def walk() -> None:
        async with serving(tmp_path) as server, AsyncClient(server.address) as client:
            for files in ((most, most), (most * 2, most * 2 + bytes(1 << 20))):
                try:
                    await client.generate("x", image=files[0], mask_image=files[1])
                except (InvalidArgument, ResourceExhausted) as error:
                    refusals.append(error)

    asyncio.run(walk())

    arrived, too_large = refusals
    assert arrived.reason == "IMAGE_NOT_READABLE"
    assert too_large.reason == "MESSAGE_TOO_LARGE"
    assert "message_bytes_max" in too_large.hint


def test_photos_among_other_requests(tmp_path: Path) -> None:
    """Large pictures are decoded beside other callers, and everything is given back."""

    async def walk() -> None:
        async with serving(tmp_path) as server, AsyncClient(server.address) as client:
            photo = Image.effect_noise((1500, 1500), 90).convert("RGB")
            sent = [
                client.generate("x", image=photo, width=64, height=64, num_inference_steps=2)
                for _ in range(4)
            ]
            results = await asyncio.gather(*sent, *(server.generate() for _ in range(4)))
            assert len(results) == 8
            assert server.app.generation.jobs_left == 0
            assert json.loads(results[0].images[0].provenance_json)["image"]["width"] == 1500

    asyncio.run(walk())
