# SPDX-License-Identifier: Apache-2.0
"""A JPEG or WebP shows what the PNG shows, and says of itself what the PNG says."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard.pictures.words import read_words
from tabard.v1 import generation_service_pb2 as pb
from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.job import ImageFormat, Written
from tabard_server.output.lossy import write_lossy
from tabard_server.output.marking import marked
from tests.server.harness import Request, chunks_of, refusal_of, serving

JSON = json.dumps({"prompt": 'a <b> & "c" 猫 𝄞', "seed": 7}, ensure_ascii=False)
PARAMETERS = "a <b>, 猫 𝄞\nSteps: 3, Sampler: Euler a"
KINDS: tuple[ImageFormat, ...] = ("jpeg", "webp")
FORMATS = {"jpeg": pb.IMAGE_FORMAT_JPEG, "webp": pb.IMAGE_FORMAT_WEBP}


def gradient() -> Pixels:
    return np.asarray(Image.linear_gradient("L").convert("RGB"))


def written(
    kind: ImageFormat, *, quality: int = 100, told: str = JSON, words: str = PARAMETERS
) -> bytes:
    xmp = marked(is_composite=False, provenance_json=told)
    form = Written(format=kind, quality=quality)
    return write_lossy(gradient(), written=form, xmp=xmp, parameters=words)


@pytest.mark.parametrize("kind", KINDS)
def test_words_survive(kind: ImageFormat) -> None:
    """Any letters, and what would end the XML around them; and the mark."""
    file = written(kind)

    assert read_words(file) == {"tabard": JSON, "parameters": PARAMETERS}
    assert b"trainedAlgorithmicMedia" in file
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == kind.upper()


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_survive(kind: ImageFormat) -> None:
    """At the best quality nobody sees a difference; a lower one makes a smaller file."""
    best, small = written(kind), written(kind, quality=10)

    with Image.open(io.BytesIO(best)) as now:
        apart = np.abs(np.asarray(now.convert("RGB")).astype(int) - gradient())
    assert apart.max() <= 4
    assert len(small) < len(best)


@pytest.mark.parametrize("said", [{"told": "x" * 70_000}, {"words": "x" * 70_000}])
def test_words_too_long_for_a_jpeg_are_refused(said: dict[str, str]) -> None:
    """They are not left out, and not cut; a WebP holds them."""
    with pytest.raises(InvalidRequest) as refused:
        written("jpeg", **said)

    assert refused.value.reason == "PROVENANCE_TOO_LONG"
    assert "x" * 70_000 in read_words(written("webp", **said)).values()


@pytest.mark.parametrize("kind", KINDS)
def test_request_says_how_images_are_written(tmp_path: Path, kind: ImageFormat) -> None:
    """Images and previews; the words are those of the PNG."""

    async def walk() -> tuple[Any, Any]:
        async with serving(tmp_path) as server:
            said = {"seed": 7, "deterministic": True}
            plain = await server.generate(**said)
            lossy = await server.generate(**said, image_format=FORMATS[kind], preview_every=1)
            return plain, lossy

    plain, lossy = asyncio.run(walk())
    image = lossy.images[0]
    texts = chunks_of(plain.images[0].content)
    looks = [event.preview.content for event in lossy.events if event.HasField("preview")]
    assert image.format == FORMATS[kind]
    assert plain.images[0].format == pb.IMAGE_FORMAT_PNG
    words = read_words(image.content)
    told = json.loads(words.pop("tabard"))
    # How it was packed is part of how it was made.
    assert told.pop("written") == {"format": kind, "quality": 95}
    assert (told, words) == (json.loads(texts["tabard"]), {"parameters": texts["parameters"]})
    assert looks
    for file in (image.content, *looks):
        with Image.open(io.BytesIO(file)) as opened:
            assert opened.format == kind.upper()
        assert b"trainedAlgorithmicMedia" in file


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"image_format": 9}, "IMAGE_FORMAT_UNKNOWN"),
        ({"image_quality": 101}, "IMAGE_QUALITY_OUT_OF_RANGE"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, said: dict[str, Any], reason: str) -> None:
    """By its field, before anything is drawn."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            return await refusal_of(server.generation.Generate(Request(prompt="x", **said)))

    refusal = asyncio.run(walk())
    assert (refusal.reason, refusal.fields) == (reason, tuple(said))
