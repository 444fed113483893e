# SPDX-License-Identifier: Apache-2.0
"""A gateway in front of the fake server that the SDK's tests have, with two styles."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tabard import Client
from tests.clients.fakes.server import FakeServer
from tests.web.running import gateway_to


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def web(server: FakeServer) -> Iterator[httpx.Client]:
    with gateway_to(server.address) as client:
        yield client


@pytest.fixture
def styles(server: FakeServer, tmp_path: Path) -> None:
    """Publish two styles; one has a channel `beta`, too."""
    file = tmp_path / "style.safetensors"
    with Client(server.address, actor="alice", patience_seconds=0) as client:
        for number, name in enumerate(("acme/ink", "acme/pen")):
            file.write_bytes(f"style {number}".encode())
            client.publish(name, file, version="1.0.0")
            client.promote(f"{name}@1.0.0")
        client.promote("acme/pen@1.0.0", channel="beta")
    server.state.metadata.clear()
    server.state.requests.clear()
