# SPDX-License-Identifier: Apache-2.0
"""Every picture that leaves a server is marked, signed or not: read as XML, found by Pillow."""

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from tabard.v1 import generation_service_pb2 as pb
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.jobs.job import ImageReady, JobSpec
from tabard_server.output.marking import COMPOSITE, TRAINED, XMP_CHUNK
from tabard_server.scheduler.claims import Priority
from tests.server.c2pa.authority import issue
from tests.server.harness import serving
from tests.server.output.made_pictures import encode, picture
from tests.server.safety.classifiers import Eye, safety, scores
from tests.web.running import gateway_to

SOURCE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
FORMATS = {
    "png": pb.IMAGE_FORMAT_PNG,
    "jpeg": pb.IMAGE_FORMAT_JPEG,
    "webp": pb.IMAGE_FORMAT_WEBP,
}
SIDES = (64, 64)
SAID: dict[str, Any] = {"seed": 7, "num_inference_steps": 4, "width": 64, "height": 64}


def mark_of(content: bytes) -> str | None:
    """Return the IPTC's word that a picture is marked with."""
    with Image.open(io.BytesIO(content)) as image:
        packet = image.info.get("xmp") or image.info.get(XMP_CHUNK, "")
    root = ElementTree.fromstring(packet if isinstance(packet, str) else packet.decode())
    found = [one.get(SOURCE) for one in root.iter() if one.get(SOURCE)]
    return found[0] if len(found) == 1 else None


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("is_signed", [False, True], ids=["plain", "signed"])
def test_every_picture_of_a_request_is_marked(tmp_path: Path, kind: str, is_signed: bool) -> None:
    """Of words, over a picture, within a mask: finished or not."""
    sent = encode(picture(size=SIDES))
    hole = encode(Image.new("L", SIDES, 255))
    over: list[dict[str, Any]] = [{"image": sent}, {"image": sent, "mask_image": hole}]
    changes = {"c2pa": issue(tmp_path / "c2pa").settings} if is_signed else {}

    async def walk() -> None:
        async with serving(tmp_path, **changes) as server:
            for mark, request in [(TRAINED, {}), *((COMPOSITE, one) for one in over)]:
                fields = {"preview_every": 1, "image_format": FORMATS[kind]} | SAID | request
                told = await server.generate(**fields)
                looks = [one.preview for one in told.events if one.HasField("preview")]
                assert looks
                assert {mark_of(one.content) for one in (*looks, *told.images)} == {mark}

    asyncio.run(walk())


def test_partial_images_are_marked(tmp_path: Path) -> None:
    """Those that a stream of OpenAI's door tells."""

    def ask(address: str) -> list[bytes]:
        wanted = {"prompt": "x", "size": "64x64", "stream": True, "partial_images": 2}
        with gateway_to(address) as web:
            answer = web.post("/v1/images/generations", json=wanted)
        return list(_pictures(answer.text))

    async def walk() -> None:
        async with serving(tmp_path) as server:
            found = await asyncio.to_thread(ask, server.address)
            assert len(found) >= 2
            assert {mark_of(one) for one in found} == {TRAINED}

    asyncio.run(walk())


@pytest.mark.parametrize("priority", [Priority.BACKGROUND, Priority.SHADOW])
def test_pictures_of_evidence_are_marked_and_nothing_else(
    tmp_path: Path, priority: Priority
) -> None:
    """They are what the release draws, the same to the byte, whatever callers are sent."""
    spec = JobSpec(
        wanted=WantedDrawing(prompt="x", steps=3, width=64, height=64),
        seed=7,
        images=1,
        is_deterministic=True,
        priority=priority,
    )

    async def draw(folder: Path, **changes: Any) -> bytes:
        async with serving(folder, **changes) as server:
            events = [event async for event in server.app.generation.generate(spec)]
        return next(event.content for event in events if isinstance(event, ImageReady))

    async def walk() -> None:
        plain = await draw(tmp_path)
        eye = Eye(sees=scores(nsfw=1.0))
        said = {"c2pa": issue(tmp_path / "c2pa").settings, "safety": safety()}
        other = await draw(tmp_path, classify=eye, **said)

        assert plain == other
        assert mark_of(plain) == TRAINED
        assert not eye.seen

    asyncio.run(walk())


def _pictures(stream: str) -> Iterator[bytes]:
    for line in stream.splitlines():
        if line.startswith("data: "):
            yield base64.b64decode(json.loads(line.removeprefix("data: "))["b64_json"])
