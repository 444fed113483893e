# SPDX-License-Identifier: Apache-2.0
"""Pictures of whole servers that sign and look: by gRPC, as jobs, through the doors, and again."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from tabard import AsyncClient
from tabard.v1 import generation_service_pb2 as pb
from tabard.v1 import job_service_pb2
from tabard_server.output.marking import COMPOSITE, TRAINED
from tabard_server.safety.blurring import blurred
from tests.server.c2pa.authority import SUBJECT, Issued, issue, read
from tests.server.harness import Request, pixels_of, refusal_of, serving
from tests.server.output.made_pictures import encode, picture
from tests.server.rpc.jobs.detaching import detach, ended, image_of
from tests.server.safety.classifiers import Eye, safety, scores
from tests.web.running import gateway_to

FORMATS = {
    "image/png": pb.IMAGE_FORMAT_PNG,
    "image/jpeg": pb.IMAGE_FORMAT_JPEG,
    "image/webp": pb.IMAGE_FORMAT_WEBP,
}
SAID: dict[str, Any] = {"seed": 7, "num_inference_steps": 4}
NSFW = scores(nsfw=0.75)


class Glancing(Eye):
    """Sees something in every second picture."""

    def __call__(self, pixels: Any) -> Any:
        super().__call__(pixels)
        return NSFW if len(self.seen) % 2 == 0 else scores()


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("credential"))


@pytest.mark.parametrize("media_type", FORMATS)
def test_every_format_and_look_is_signed(tmp_path: Path, issued: Issued, media_type: str) -> None:
    """Finished images and previews; over an input picture as a composite."""
    sent = encode(picture(size=(64, 64)))

    async def walk() -> None:
        async with serving(tmp_path, c2pa=issued.settings) as server:
            plain = await server.generate(preview_every=2, image_format=FORMATS[media_type], **SAID)
            over = await server.generate(image=sent, image_format=FORMATS[media_type], **SAID)

        looks = [event.preview for event in plain.events if event.HasField("preview")]
        assert looks
        for one in (*looks, *plain.images):
            seen = read(one.content, ca=issued.ca, media_type=media_type)
            assert (seen.state, seen.action["digitalSourceType"]) == ("Trusted", TRAINED)
        seen = read(over.images[0].content, ca=issued.ca, media_type=media_type)
        assert (seen.state, seen.action["digitalSourceType"]) == ("Trusted", COMPOSITE)
        wanted = json.loads(over.images[0].provenance_json)["image"]["sha256"]
        assert seen.manifest["ingredients"][0]["instance_id"] == f"sha256:{wanted}"

    asyncio.run(walk())


def test_status_says_what_is_on(tmp_path: Path, issued: Issued) -> None:
    """And of a server that was told nothing, nothing."""

    async def walk() -> None:
        async with serving(tmp_path / "plain") as server:
            status = await server.status()
            assert not (status.HasField("c2pa") or status.HasField("safety"))
        eye = Eye(error=RuntimeError("no"))
        said = {"c2pa": issued.settings, "safety": safety("blur")}
        async with (
            serving(tmp_path / "both", classify=eye, **said) as server,
            AsyncClient(server.address) as client,
        ):
            before = await client.status()
            await refusal_of(server.generation.Generate(Request(prompt="x", **SAID)))
            after = await client.status()
        assert before.c2pa and before.safety and after.safety
        assert (before.c2pa.subject, before.c2pa.algorithm) == (SUBJECT, "es256")
        assert before.c2pa.expires_at
        assert (before.safety.model, before.safety.policy) == ("eye", "blur")
        assert [(one.label, one.threshold) for one in before.safety.labels] == [
            ("nsfw", 0.5),
            ("gore", 0.9),
        ]
        assert (before.safety.failure, after.safety.failure) == (
            "",
            "the safety classifier failed",
        )

    asyncio.run(walk())


def test_images_of_jobs_are_signed_where_they_are_kept(tmp_path: Path, issued: Issued) -> None:
    """What is fetched later is what was signed, to the byte."""

    async def walk() -> None:
        async with serving(tmp_path, c2pa=issued.settings) as server:
            job = (await detach(server)).job_id
            end = await ended(server, job)
            first, again = await image_of(server, job), await image_of(server, job)

        assert read(first.content, ca=issued.ca).state == "Trusted"
        assert first.content == again.content
        assert end.images[0].byte_count == len(first.content)

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_signed_image_is_made_again(tmp_path: Path, issued: Issued, kind: Any) -> None:
    """Its provenance is read past the manifest; of equal pixels the packing alone differs."""

    async def walk() -> None:
        async with (
            serving(tmp_path, c2pa=issued.settings) as server,
            AsyncClient(server.address) as client,
        ):
            said = {"deterministic": True, "image_format": kind} | SAID
            image = (await client.generate("x", **said)).images[0]
            again = await client.replay(image.content)

        assert (again.outcome, again.is_faithful) == ("same_pixels", True)
        assert [one.name for one in again.differences] == ["file"]

    asyncio.run(walk())


def test_withheld_image_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    """By gRPC: no pixels, no previews; the images beside it are sent."""
    eye = Glancing()

    async def walk() -> None:
        async with serving(tmp_path, classify=eye, safety=safety()) as server:
            call = server.generation.Generate(
                Request(prompt="x", num_images=3, preview_every=1, **SAID)
            )
            seen: list[Any] = []
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                async for event in call:
                    seen.append(event)

            kinds = [event.WhichOneof("event") for event in seen]
            assert kinds.count("image") == 2 and "preview" not in kinds
            assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "1 of 3 images are not sent" in (failure.value.details() or "")

    asyncio.run(walk())


def test_job_keeps_what_was_not_withheld(tmp_path: Path) -> None:
    """It fails by the same reason, and its other images can be had."""

    async def walk() -> None:
        async with serving(tmp_path, classify=Glancing(), safety=safety()) as server:
            job = (await detach(server, num_images=3)).job_id
            end = await ended(server, job)
            kept = [one.index for one in end.images]
            for index in kept:
                assert (await image_of(server, job, index)).content
            lacking = next(index for index in range(3) if index not in kept)
            request = job_service_pb2.GetJobImageRequest(job_id=job, index=lacking)
            refusal = await refusal_of(server.jobs.GetJobImage(request))

        assert (len(kept), end.failure.reason) == (2, "IMAGE_WITHHELD")
        assert refusal.reason == "JOB_IMAGE_UNKNOWN"

    asyncio.run(walk())


def test_blurred_image_says_so(tmp_path: Path, issued: Issued) -> None:
    """Looked at first, then blurred, then signed; without the classifier it is as it was drawn."""

    async def walk() -> None:
        async with serving(tmp_path / "plain") as server:
            plain = (await server.generate(**SAID)).images[0]
        eye = Eye(sees=NSFW)
        said = {"c2pa": issued.settings, "safety": safety("blur")}
        async with serving(tmp_path / "blur", classify=eye, **said) as server:
            told = await server.generate(preview_every=1, **SAID)

        image = told.images[0]
        assert "preview" not in told.kinds
        assert np.array_equal(eye.seen[0], pixels_of(plain.content))
        assert np.array_equal(pixels_of(image.content), blurred(eye.seen[0]))
        assert json.loads(image.provenance_json)["safety"]["action"] == "blurred"
        assert read(image.content, ca=issued.ca).state == "Trusted"

    asyncio.run(walk())


def test_flagged_image_has_its_previews(tmp_path: Path) -> None:
    """Nothing is hidden, and the verdict is told."""

    async def walk() -> None:
        flag = safety("flag")
        async with serving(tmp_path, classify=Eye(sees=NSFW), safety=flag) as server:
            told = await server.generate(preview_every=1, **SAID)

        assert "preview" in told.kinds
        assert json.loads(told.images[0].provenance_json)["safety"]["action"] == "flagged"

    asyncio.run(walk())


def test_doors_give_signed_files(tmp_path: Path, issued: Issued) -> None:
    """OpenAI's and A1111's answers have the bytes that the server signed."""

    def ask(address: str) -> list[bytes]:
        with gateway_to(address) as web:
            openai = web.post("/v1/images/generations", json={"prompt": "x", "size": "64x64"})
            a1111 = web.post("/sdapi/v1/txt2img", json={"prompt": "x", "width": 64, "height": 64})
        texts = openai.json()["data"][0]["b64_json"], a1111.json()["images"][0]
        return [base64.b64decode(text) for text in texts]

    async def walk() -> None:
        async with serving(tmp_path, c2pa=issued.settings) as server:
            for content in await asyncio.to_thread(ask, server.address):
                assert read(content, ca=issued.ca).state == "Trusted"

    asyncio.run(walk())


def test_doors_tell_of_what_was_withheld(tmp_path: Path) -> None:
    """Each in its shape, by a status that its tools take for a refusal."""

    def ask(address: str) -> list[httpx.Response]:
        with gateway_to(address) as web:
            size = {"width": 64, "height": 64}
            return [
                web.post("/v1/images/generations", json={"prompt": "x", "size": "64x64"}),
                web.post("/sdapi/v1/txt2img", json={"prompt": "x", **size}),
            ]

    async def walk() -> None:
        async with serving(tmp_path, classify=Eye(sees=NSFW), safety=safety()) as server:
            openai, a1111 = await asyncio.to_thread(ask, server.address)

        assert (openai.status_code, a1111.status_code) == (400, 400)
        assert openai.json()["error"]["code"] == "content_policy_violation"
        assert openai.json()["error"]["reason"] == "IMAGE_WITHHELD"
        assert a1111.json()["error"] == "IMAGE_WITHHELD"
        assert "withholds the image" in a1111.json()["detail"]

    asyncio.run(walk())
