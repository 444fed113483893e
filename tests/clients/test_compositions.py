# SPDX-License-Identifier: Apache-2.0
"""Verbs made of verbs, over a socket, on both clients."""

import asyncio
from pathlib import Path

import pytest

from tabard import AsyncClient, Client, NotFound, Release
from tests.clients.fakes.server import FakeServer


def test_comparison_is_pinned_when_it_is_asked_for(
    client: Client, stable: Release, other_file: Path
) -> None:
    """A channel that moves meanwhile changes nothing of what is drawn."""
    comparison = client.compare(
        "acme/watercolor", prompts=["a", "b"], weights=(0.5, 1.0), seeds=(1, 2), base=True
    )
    client.publish("acme/watercolor", other_file, version="1.1.0")
    client.promote("acme/watercolor@1.1.0")

    found = comparison.result()

    assert [one.label for one in comparison.sides] == [
        "base",
        "acme/watercolor 1.0.0 at 0.5",
        "acme/watercolor 1.0.0 at 1",
    ]
    assert len(found) == 12
    assert {worn.digest for one in found for worn in one.worn} == {stable.digest}
    assert [one.image.seed for one in found] == [one.cell.seed for one in found]
    assert found[0].image.provenance["prompt"] == "a"


def test_async_comparison_is_the_same(server: FakeServer, client: Client, stable: Release) -> None:
    """Both clients give the same images."""

    async def compare() -> list[bytes]:
        async with AsyncClient(server.address) as other:
            comparison = await other.compare("acme/watercolor", prompts="a", seeds=(1, 2))
            return [one.image.content for one in await comparison.result()]

    found = client.compare("acme/watercolor", prompts="a", seeds=(1, 2)).result()

    assert asyncio.run(compare()) == [one.image.content for one in found]


def test_unknown_release_is_refused_at_once(client: Client, server: FakeServer) -> None:
    """Before anything is drawn."""
    with pytest.raises(NotFound):
        client.compare("acme/nothing", prompts="a")

    assert len(server.state.requests) == 1


def test_replay_draws_the_same_file(server: FakeServer, client: Client, stable: Release) -> None:
    """Both clients make an image again from what it says of itself."""
    image = client.generate(
        "a", adapters="acme/watercolor", seed=3, num_inference_steps=2, deterministic=True
    ).images[0]

    async def again() -> str:
        async with AsyncClient(server.address) as other:
            return (await other.replay(image.content)).outcome

    assert (client.replay(image.content).outcome, asyncio.run(again())) == (
        "same_file",
        "same_file",
    )
