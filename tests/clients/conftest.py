# SPDX-License-Identifier: Apache-2.0
"""One fake server, one client and two files for each test of the SDK and the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard import Client, Release
from tests.clients.fakes.authority import Authority
from tests.clients.fakes.server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Run a fake server on a port the system gives."""
    with FakeServer() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make a CA."""
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make another CA, which nobody knows."""
    return Authority(tmp_path_factory.mktemp("stranger"), "theirs")


@pytest.fixture
def tls_server(authority: Authority) -> Iterator[FakeServer]:
    """Run a fake server that speaks TLS, with a certificate of the first CA."""
    with FakeServer(authority.sign("server").server_credentials()) as running:
        yield running


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    """Connect to the fake server as alice, who wants to know at once when it is busy."""
    with Client(server.address, actor="alice", patience_seconds=0) as connected:
        yield connected


@pytest.fixture
def style_file(tmp_path: Path) -> Path:
    """Write a file that the fake takes for a style; larger than one chunk."""
    path = tmp_path / "watercolor.safetensors"
    path.write_bytes(b"style" * 300_000)
    return path


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    """Write a file that the fake takes for another style."""
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"other style")
    return path


@pytest.fixture
def refused_file(tmp_path: Path) -> Path:
    """Write a file that the fake refuses."""
    path = tmp_path / "refused.safetensors"
    path.write_bytes(b"BAD")
    return path


@pytest.fixture
def stocked(client: Client, style_file: Path) -> Client:
    """Publish a style, and give the client."""
    client.publish("acme/ink", style_file, version="1.0.0", notes="black", reason="new")
    return client


@pytest.fixture
def stable(client: Client, style_file: Path) -> Release:
    """Publish 1.0.0 of a style and promote it to stable."""
    published = client.publish("acme/watercolor", style_file, version="1.0.0")
    client.promote("acme/watercolor@1.0.0")
    return published.release
