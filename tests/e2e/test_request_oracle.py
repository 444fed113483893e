# SPDX-License-Identifier: Apache-2.0
"""What a request may say beyond its prompt, through gRPC, against diffusers run alone, float32.

Pictures to begin from, masks, skipped layers and A1111's syntax on the demo base; the same and
SDXL's sizes on tiny bases of the other families. Each must change the picture by far more than
the tolerance, or it could pass by doing nothing.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tabard import AsyncClient, Client, GenerateResult
from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.serving import serve
from tabard_server.settings import Settings
from tests.bases import make_tiny_base
from tests.oracle import Oracle, Pixels, largest_difference

TOLERANCE = 1
VISIBLE = 16
SAID: Mapping[str, Any] = {"seed": 7, "guidance_scale": 5.0, "num_inference_steps": 8}
PROMPT = "a red circle"
LARGE = Image.fromarray(np.linspace(0, 255, 80 * 72 * 3).reshape(72, 80, 3).astype(np.uint8))
PHOTO = LARGE.resize((64, 64), resample=Image.Resampling.LANCZOS)
HOLE = Image.fromarray(np.kron(np.eye(2), np.full((32, 32), 255)).astype(np.uint8))


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """Open a pipeline of our own: clip skip needs it changed."""
    found = Oracle(DEMO_BASE)
    # diffusers still looks for a level that transformers has taken out of this class.
    object.__setattr__(found.pipe.text_encoder, "text_model", found.pipe.text_encoder)
    return found


def pixels_of(result: GenerateResult) -> Pixels:
    return np.asarray(result.images[0].pil.convert("RGB"))


def expect(oracle: Oracle, prompt: str | None = PROMPT, **options: Any) -> Pixels:
    """Draw with diffusers alone."""
    prompt_or_none: Any = prompt
    return oracle.draw(prompt_or_none, seed=7, steps=8, guidance_scale=5.0, **options)


def file_of(image: Image.Image, kind: str) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format=kind, **({"lossless": True} if kind == "WEBP" else {}))
    return sink.getvalue()


CASES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "redrawn": ({"image": PHOTO, "strength": 0.6}, {"image": np.asarray(PHOTO), "strength": 0.6}),
    "redrawn by default": ({"image": PHOTO}, {"image": np.asarray(PHOTO)}),
    "resized": (
        {"image": file_of(LARGE, "WEBP"), "width": 64, "height": 64, "sampler": "euler_a"},
        {"image": np.asarray(PHOTO), "sampler": "euler_a"},
    ),
    "filled": (
        {"image": PHOTO, "mask_image": file_of(HOLE, "PNG"), "strength": 0.7},
        {"image": np.asarray(PHOTO), "mask": np.asarray(HOLE), "strength": 0.7},
    ),
    "filled anew": (
        {"image": PHOTO, "mask_image": HOLE, "sampler": "dpmpp_2m"},
        {"image": np.asarray(PHOTO), "mask": np.asarray(HOLE), "sampler": "dpmpp_2m"},
    ),
    "layers skipped": ({"clip_skip": 1}, {"clip_skip": 1}),
    "trailing": (
        {"sampler": "euler", "timestep_spacing": "trailing"},
        {"sampler": "euler", "timestep_spacing": "trailing"},
    ),
    "scheduled": (
        {"sampler": "DPM++ 2M Exponential"},
        {"sampler": "dpmpp_2m", "schedule": "exponential"},
    ),
    "named steps": (
        {"sampler": "tcd", "timesteps": (999, 749, 499, 249), "eta": 0.3}
        | {"num_inference_steps": None},
        {"sampler": "tcd", "timesteps": [999, 749, 499, 249], "eta": 0.3},
    ),
    "layers skipped and redrawn": (
        {"clip_skip": 1, "image": PHOTO},
        {"clip_skip": 1, "image": np.asarray(PHOTO)},
    ),
}


SHORT = ("filled", "layers skipped", "named steps", "redrawn", "trailing")
"""Cases for every day; the others run among the long comparisons."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SHORT else pytest.mark.oracle)
        for name in sorted(CASES)
    ],
)
def test_served_request_equals_diffusers(demo_client: Client, oracle: Oracle, name: str) -> None:
    """Each option, said as a user says it, is what diffusers' own pipeline makes of it."""
    said, told = CASES[name]

    served = pixels_of(demo_client.generate(PROMPT, **SAID | said))

    plain = pixels_of(demo_client.generate(PROMPT, **SAID))
    assert largest_difference(served, expect(oracle, **told)) <= TOLERANCE
    assert largest_difference(served, plain) > VISIBLE


def test_frame_of_filled_picture_stays(demo_client: Client) -> None:
    """White is drawn anew and black stays: the black quarters look like the picture."""
    served = pixels_of(demo_client.generate(PROMPT, image=PHOTO, mask_image=HOLE, **SAID))

    moved = np.abs(served.astype(int) - np.asarray(PHOTO).astype(int)).mean(axis=2)
    black, white = np.asarray(HOLE) == 0, np.asarray(HOLE) == 255
    assert moved[white].mean() > 3 * moved[black].mean()


@torch.inference_mode()
def embed(oracle: Oracle, windows: Sequence[Sequence[tuple[str, float]]]) -> torch.Tensor:
    """Encode windows of weighted pieces as A1111 does, with diffusers' parts only."""
    tokenizer, encoder = oracle.pipe.tokenizer, oracle.pipe.text_encoder
    hidden = []
    for pieces in windows:
        ids, weights = [tokenizer.bos_token_id], [1.0]
        for text, weight in pieces:
            tokens = tokenizer(text, add_special_tokens=False).input_ids
            ids, weights = ids + tokens, weights + [weight] * len(tokens)
        padding = tokenizer.model_max_length - len(ids) - 1
        ids += [tokenizer.eos_token_id] + [tokenizer.pad_token_id] * padding
        states = encoder(torch.tensor([ids])).last_hidden_state
        weighed = states * torch.tensor(weights + [1.0] * (padding + 1))[None, :, None]
        hidden.append(weighed * states.mean() / weighed.mean())
    return torch.cat(hidden, dim=1)


@pytest.mark.parametrize(
    ("prompt", "negative_prompt", "windows", "negative"),
    [
        pytest.param(
            "a (red:1.4) ((circle)) [on white]",
            "",
            [[("a", 1.0), ("red", 1.4), ("circle", 1.21), ("on white", 1 / 1.1)]],
            [[]],
            marks=pytest.mark.oracle,
        ),
        (
            "a red circle BREAK a (blue:0.6) star",
            "(white:1.2) background",
            [[("a red circle", 1.0)], [("a", 1.0), ("blue", 0.6), ("star", 1.0)]],
            [[("white", 1.2), ("background", 1.0)], []],
        ),
    ],
    ids=["weights", "windows"],
)
def test_a1111_syntax_equals_weighted_embeddings(
    demo_client: Client,
    oracle: Oracle,
    prompt: str,
    negative_prompt: str,
    windows: list[list[tuple[str, float]]],
    negative: list[list[tuple[str, float]]],
) -> None:
    """Brackets and BREAK are what A1111 does to the embeddings, drawn by diffusers."""
    said = {"prompt_syntax": "a1111", "negative_prompt": negative_prompt}

    served = pixels_of(demo_client.generate(prompt, **SAID, **said))

    embeddings = {
        "prompt_embeds": embed(oracle, windows),
        "negative_prompt_embeds": embed(oracle, negative),
    }
    plain = pixels_of(demo_client.generate(prompt, **SAID, negative_prompt=negative_prompt))
    assert largest_difference(served, expect(oracle, None, **embeddings)) <= TOLERANCE
    assert largest_difference(served, plain) > VISIBLE


@asynccontextmanager
async def serving_base(folder: Path, base: Path) -> AsyncIterator[AsyncClient]:
    """Serve a base from this process for the length of a block."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    ready: asyncio.Future[str] = loop.create_future()
    settings = Settings(
        listen="127.0.0.1:0",
        metrics_listen="",
        registry=(folder / "registry").as_uri(),
        cache=str(folder / "cache"),
        base=str(base),
        device="cpu",
        dtype="float32",
    )
    server = asyncio.create_task(
        serve(settings, stop=stop, on_ready=lambda address, _: ready.set_result(address))
    )
    try:
        await asyncio.wait((server, ready), return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), await server
        async with AsyncClient(ready.result()) as client:
            yield client
    finally:
        stop.set()
        await server


OF_EVERY_FAMILY: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "layers skipped": ({"clip_skip": 1}, {"clip_skip": 1}),
    "redrawn": ({"image": PHOTO}, {"image": np.asarray(PHOTO), "strength": 0.8}),
    "filled": (
        {"image": PHOTO, "mask_image": HOLE},
        {"image": np.asarray(PHOTO), "mask": np.asarray(HOLE), "strength": 1.0},
    ),
}
SIZES = {"original_size": (128, 256), "crops_coords_top_left": (8, 16), "target_size": (32, 96)}
OF_SDXL = {
    **OF_EVERY_FAMILY,
    "sizes": (SIZES, SIZES),
    "sizes and redrawn": (
        {**SIZES, "image": PHOTO, "strength": 0.5},
        {**SIZES, "image": np.asarray(PHOTO), "strength": 0.5},
    ),
}


@pytest.mark.parametrize(("family", "cases"), [("sd2", OF_EVERY_FAMILY), ("sdxl", OF_SDXL)])
def test_other_families_equal_diffusers(
    tmp_path: Path, family: str, cases: Mapping[str, tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """Bases of the other families are served from end to end, all options at once in flight."""
    base = make_tiny_base(tmp_path / "base", family=family)
    alone = Oracle(base)
    if family == "sd2":
        object.__setattr__(alone.pipe.text_encoder, "text_model", alone.pipe.text_encoder)

    async def walk() -> list[GenerateResult]:
        async with serving_base(tmp_path, base) as client:
            jobs = [client.generate(PROMPT, **SAID, **said) for said, _ in cases.values()]
            return list(await asyncio.gather(*jobs))

    served = dict(zip(cases, map(pixels_of, asyncio.run(walk())), strict=True))

    for name, (_, told) in cases.items():
        assert largest_difference(served[name], expect(alone, **told)) <= TOLERANCE, name
        assert name == "plain" or largest_difference(served[name], served["plain"]) > 1, name
