# SPDX-License-Identifier: Apache-2.0
"""A request over real gRPC: its events, what it wears, its deadline."""

import asyncio
from pathlib import Path

import grpc
import numpy as np

from tabard.v1 import generation_service_pb2 as pb
from tests.server.fakes import noise
from tests.server.harness import (
    Request,
    pixels_of,
    provenance_of,
    refusal_of,
    serving,
    small_limits,
)


def test_request_streams_its_whole_life(tmp_path: Path) -> None:
    """Accepted comes first, Done last, and every image in between."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            told = await server.generate(num_images=2, seed=7, preview_every=2)

        assert told.kinds[0] == "accepted"
        assert told.kinds[-1] == "done"
        assert told.kinds.count("image") == 2
        assert told.kinds.count("preview") == 2
        assert "progress" in told.kinds
        assert list(told.accepted.seeds) == [7, 8]

    asyncio.run(walk())


def test_who_does_not_look_on_is_told_no_progress(tmp_path: Path) -> None:
    """All else comes as it would, also of a job that is held."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            said = {"num_images": 2, "seed": 7, "preview_every": 2, "without_progress": True}
            told = await server.generate(**said)
            detached = pb.Detach()
            begun = await server.generate(**said, request_id="once", detach=detached)
            held = await server.generate(**said, request_id="once")
            looked = await server.generate(**{**said, "without_progress": False})

        # Previews may be left out, as where the image is there before one is read.
        lasting = [kind for kind in looked.kinds if kind not in ("progress", "preview")]
        assert [kind for kind in told.kinds if kind != "preview"] == lasting
        assert "progress" in looked.kinds
        assert begun.kinds == ["accepted"]
        assert "progress" not in held.kinds
        assert held.kinds.count("image") == 2
        assert [one.content for one in told.images] == [one.content for one in looked.images]

    asyncio.run(walk())


def test_image_wears_what_was_accepted(tmp_path: Path) -> None:
    """Pixels, provenance and the accepted stack agree on digest and weight."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            told = await server.generate("a cat", adapters=["acme/ink:0.5"], seed=3)

        digest = published.release.digest
        expected = noise(stack=[(digest, 0.5)], prompt="a cat", seed=3, width=64, height=64)
        assert told.accepted.worn[0].digest == digest
        assert told.accepted.registry_seq == 2
        assert np.array_equal(pixels_of(told.images[0].content), expected)
        assert provenance_of(told.images[0].content)["stack"][0]["digest"] == digest

    asyncio.run(walk())


def test_prompt_tag_acts_like_adapter(tmp_path: Path) -> None:
    """A tag is removed from the prompt and worn with its weight."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            tagged = await server.generate("a cat <lora:acme/ink:0.8>", seed=1)
            named = await server.generate("a cat", adapters=["acme/ink:0.8"], seed=1)

        assert tagged.accepted.worn[0].weight == 0.8
        assert np.array_equal(
            pixels_of(tagged.images[0].content), pixels_of(named.images[0].content)
        )

    asyncio.run(walk())


def test_near_deadline_is_refused(tmp_path: Path) -> None:
    """A deadline too near to begin is told so, or the client gives up by itself first."""

    async def walk() -> None:
        limits = small_limits(deadline_seconds_min=30.0)
        async with serving(tmp_path, limits=limits) as server:
            refusal = await refusal_of(server.generation.Generate(Request(prompt="x"), timeout=20))

        assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert refusal.reason == "DEADLINE_TOO_SHORT"

    asyncio.run(walk())
