# SPDX-License-Identifier: Apache-2.0
"""A picture is found again, as both clients ask for it."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from tabard import AsyncClient, Client, InvalidArgument
from tabard.calls.health.lookup import recipe_of
from tabard_registry import sha256_bytes
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.report import Candidate
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import ANN, grid, report_on
from tests.server.evidence.pictures import noise


@pytest.fixture
def drawn(server: RealServer, client: Client) -> bytes:
    """A picture that a release drew, and that its report shows."""
    release = server.publish("acme/ink")
    png = (
        client.generate("a red circle", adapters=["acme/ink@1.0.0"], seed=7, num_inference_steps=2)
        .images[0]
        .content
    )
    report = report_on(release, candidates=(Candidate(image=sha256_bytes(png), prompt=3, seed=7),))
    server.registry.evidence.put(report, author=ANN, blobs=[png, to_bytes(grid())])
    return png


def bare(png: bytes) -> bytes:
    """The same pixels without the file's words."""
    sink = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(sink, "PNG")
    return sink.getvalue()


def test_recipe_is_found_by_pixels(client: Client, drawn: bytes) -> None:
    """The kept file says how it was made, though the one that was sent does not."""
    sent = bare(drawn)
    found = client.lookup(sent)

    (match,) = found.matches
    assert recipe_of(sent) is None
    assert (match.likeness, match.side, match.prompt_index, match.seed) == (
        "same_pixels",
        "candidate",
        3,
        7,
    )
    assert (match.adapter, match.version, match.kind) == ("acme/ink", "1.0.0", "report")
    assert found.recipe is not None and found.recipe["prompt"] == "a red circle"
    assert found.png == drawn
    assert client.replay(found.png).is_faithful


def test_stranger_is_not_found(client: Client, drawn: bytes) -> None:
    """It is said how near the nearest picture is."""
    found = client.lookup(noise(5, side=64))

    assert (found.matches, found.recipe, found.png) == ((), None, b"")
    assert found.nearest_bits is not None and found.nearest_bits > 8
    assert (found.searched_count, found.is_complete) == (1, True)


def test_nothing_to_compare_is_told(client: Client) -> None:
    """Then there is no nearest one."""
    assert client.lookup(noise(5)).nearest_bits is None


def test_no_picture_is_refused(client: Client) -> None:
    """As everywhere."""
    with pytest.raises(InvalidArgument) as refused:
        client.lookup(b"no picture")

    assert refused.value.reason == "IMAGE_NOT_READABLE"


def test_asyncio_finds_the_same(server: RealServer, drawn: bytes) -> None:
    """By the very file."""

    async def walk() -> str:
        async with AsyncClient(server.address) as client:
            return (await client.lookup(drawn)).matches[0].likeness

    assert asyncio.run(walk()) == "same_file"
