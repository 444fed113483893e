# SPDX-License-Identifier: Apache-2.0
"""Verbs made of verbs, over a socket, on both clients."""

import asyncio
from pathlib import Path

import pytest

from tabard import AsyncClient, Client, NotFound, Release
from tabard.health.compared import ComparisonPlan
from tests.clients.fakes.real_server import real_server
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

    found = client.replay(image.content).outcome
    assert (found, asyncio.run(again())) == ("same_file", "same_file")


def test_named_grid_is_that_of_the_first_release(tmp_path: Path) -> None:
    """Of its line, else a shipped one, for both clients; one that there is not is refused."""

    async def plan(address: str) -> ComparisonPlan:
        async with AsyncClient(address) as other:
            comparison = await other.compare("acme/ink", grid="style", seeds=(1,))
            await comparison.close()
            return comparison.plan

    with real_server(tmp_path) as running, Client(running.address) as client:
        running.publish("acme/ink")
        client.promote("acme/ink@1.0.0")
        shipped = client.compare("acme/ink", grid="style")
        found = client.grid("style").document
        client.put_grid(found | {"seeds": [7], "steps": 3}, place="acme/ink")
        own = client.compare("acme/ink", grid="style")
        asynchronous = asyncio.run(plan(running.address))
        with pytest.raises(NotFound, match="nothing"):
            client.compare("acme/ink", grid="nothing")

    assert shipped.plan.prompts == tuple(one["text"] for one in found["prompts"])
    assert (len(shipped.plan.prompts), shipped.plan.seeds) == (20, (11, 23, 47, 101))
    assert (own.plan.seeds, own.plan.options["num_inference_steps"]) == ((7,), 3)
    assert (asynchronous.seeds, asynchronous.prompts) == ((1,), own.plan.prompts)
