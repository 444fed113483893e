# SPDX-License-Identifier: Apache-2.0
"""Servers of two bases behind one address: each release is drawn on its own, and on no other."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabard import AsyncClient, Client, FailedPrecondition
from tabard.routing import base_hint
from tests.bases import make_tiny_base, write_diffusers_lora
from tests.fleet.envoy import Envoy, run_envoy
from tests.fleet.replicas import Server, running, server_in

pytestmark = pytest.mark.fleet

WANTED: dict[str, Any] = {"seed": 1, "num_inference_steps": 1}


class TwoBases:
    """Two bases of one family, a server of each, and Envoy by bases.yaml."""

    def __init__(self, envoy: Envoy, servers: list[Server]) -> None:
        self.envoy = envoy
        self.fingerprints = []
        for server in servers:
            with Client(server.address) as client:
                self.fingerprints.append(client.status().base_fingerprint)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoBases]:
    folder = tmp_path_factory.mktemp("bases")
    drawn = [make_tiny_base(folder / name, seed=seed) for seed, name in enumerate(("one", "other"))]
    registry = (folder / "registry").as_uri()
    servers = [
        server_in(folder / f"server-{base.name}", base=base, registry=registry, releases_of="base")
        for base in drawn
    ]
    with running(servers):
        with Client(servers[1].address) as client:
            hint = base_hint(client.status().base_fingerprint)
        places = {"tabard": [servers[0].address], "tabard-other-base": [servers[1].address]}
        words = {"000000000000": hint}
        with run_envoy(folder / "envoy", servers=places, name="bases.yaml", words=words) as envoy:
            found = TwoBases(envoy, servers)
            _publish(found, drawn, folder)
            yield found


def _publish(found: TwoBases, drawn: list[Path], folder: Path) -> None:
    for number, base in enumerate(drawn):
        file = write_diffusers_lora(base, folder / f"{base.name}.safetensors", seed=number)
        with Client(found.envoy.address, base=found.fingerprints[number]) as client:
            client.publish(f"acme/{base.name}", file, version="1.0.0")
            client.promote(f"acme/{base.name}@1.0.0", channel="stable")


def test_client_learns_where_a_release_is_drawn(bases: TwoBases) -> None:
    """The first server that is asked names the base; from then on the right one is asked."""
    with Client(bases.envoy.address) as client:
        attempts = []
        for name, base in (("one", 0), ("other", 1), ("other", 1)):
            result = client.generate("x", adapters=f"acme/{name}", **WANTED)
            drawn_on = result.images[0].provenance["base"]["fingerprint"]
            assert drawn_on == bases.fingerprints[base]
            attempts.append(result.attempts)

    assert attempts == [1, 2, 1]


async def _draw(address: str) -> list[int]:
    async with AsyncClient(address) as client:
        release = await client.resolve("acme/other")
        resolved = await client.generate("x", adapters="acme/other", **WANTED)
        assert resolved.images[0].provenance["base"]["fingerprint"] == release.base_fingerprint
    async with AsyncClient(address) as stranger:
        learnt = await stranger.generate("x", adapters="acme/other", **WANTED)
    return [resolved.attempts, learnt.attempts]


def test_resolve_says_where_a_release_is_drawn(bases: TwoBases) -> None:
    """Who has resolved it asks the right server at once; of asyncio's client, both ways."""
    assert asyncio.run(_draw(bases.envoy.address)) == [1, 2]


def test_base_that_is_said_is_drawn_on(bases: TwoBases) -> None:
    """Without adapters, too; a release of the other is refused, and both bases are named."""
    for fingerprint in bases.fingerprints:
        with Client(bases.envoy.address, base=fingerprint[:19]) as client:
            image = client.generate("x", **WANTED).images[0]
            assert image.provenance["base"]["fingerprint"] == fingerprint

    one, other = (base_hint(each) for each in bases.fingerprints)
    with Client(bases.envoy.address, base=one) as client, pytest.raises(FailedPrecondition) as said:
        client.generate("x", adapters="acme/other", **WANTED)
    assert said.value.reason == "RELEASE_OF_OTHER_BASE"
    assert one in str(said.value)
    assert other in str(said.value)


def test_base_that_is_nowhere_is_refused(bases: TwoBases) -> None:
    """What no route knows goes to the first servers, and those say which base they have."""
    with (
        Client(bases.envoy.address, base="f" * 12) as client,
        pytest.raises(FailedPrecondition) as said,
    ):
        client.generate("x", **WANTED)

    assert said.value.reason == "BASE_NOT_HERE"
    assert base_hint(bases.fingerprints[0]) in str(said.value)


def test_channels_move_whichever_base_it_is(bases: TwoBases) -> None:
    """A promotion is asked for again where the release can be loaded, as a warm-up is."""
    with Client(bases.envoy.address) as client:
        moved = client.promote("acme/other@1.0.0", channel="beta")
        served = client.warm("acme/other")

    assert moved.version == "1.0.0"
    assert served.adapter == "acme/other"


def test_status_says_which_base_each_has(bases: TwoBases) -> None:
    """Where an operator looks: one line for each server, with its base."""
    with Client(bases.envoy.address) as client:
        found = client.replicas().replicas

    assert {one.base_fingerprint for one in found} == set(bases.fingerprints)
