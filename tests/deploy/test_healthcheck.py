# SPDX-License-Identifier: Apache-2.0
"""The container's probe, run as the container runs it, against a real health service."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tabard_server.access.settings import TlsSettings
from tests.root import ROOT
from tests.server.harness import serving
from tests.server.identity.authority import Authority, write_pair

PROBE = ROOT / "deploy" / "healthcheck.py"
STATES = health_pb2.HealthCheckResponse


@pytest.fixture
def service() -> Iterator[tuple[health.HealthServicer, str]]:
    """A health service on a port given by the system, and its address."""
    servicer = health.HealthServicer()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(grace=None).wait()


@contextmanager
def serving_tls(authority: Authority, *, asks: bool = False) -> Iterator[int]:
    """Run a health service behind TLS that serves; yield its port."""
    servicer = health.HealthServicer()
    servicer.set("", STATES.SERVING)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    certificate, key = authority.vouch_for_server()
    credentials = grpc.ssl_server_credentials(
        [(key, certificate)], authority.pem if asks else None, require_client_auth=asks
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield port
    server.stop(grace=None).wait()


def probe(address: str, *options: str) -> int:
    """Return the exit status of the probe."""
    command = [sys.executable, PROBE, address, *options]
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.mark.parametrize(("state", "status"), [(STATES.SERVING, 0), (STATES.NOT_SERVING, 1)])
def test_probe_tells_serving_apart(
    service: tuple[health.HealthServicer, str], state: int, status: int
) -> None:
    """Exit status 0 means serving; a draining server is not."""
    servicer, address = service
    servicer.set("", state)

    assert probe(address) == status


def test_probe_fails_on_silence() -> None:
    """Nobody listens: not healthy."""
    assert probe("127.0.0.1:1") == 1


def test_probe_speaks_tls(tmp_path: Path) -> None:
    """With the CA of the server; by another name where that is in its certificate."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)

    with serving_tls(authority) as port:
        assert probe(f"grpcs://localhost:{port}", "--ca", str(ca)) == 0
        assert probe(f"grpcs://127.0.0.1:{port}", "--ca", str(ca), "--name", "localhost") == 0
        assert probe(f"grpcs://127.0.0.1:{port}", "--ca", str(ca), "--name", "elsewhere") == 1
        assert probe(f"grpcs://localhost:{port}") == 1, "nobody vouches for it"
        assert probe(f"localhost:{port}") == 1, "a plain call"


def test_probe_shows_its_certificate(tmp_path: Path) -> None:
    """Where callers are asked for one."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    own = write_pair(tmp_path, authority.vouch("probe"), name="probe")
    shown = ["--certificate", own["certificate"], "--key", own["key"]]

    with serving_tls(authority, asks=True) as port:
        address = f"grpcs://localhost:{port}"
        assert probe(address, "--ca", str(ca), *shown) == 0
        assert probe(address, "--ca", str(ca)) == 1


@pytest.mark.parametrize("options", [["--ca", "/nowhere"], ["--key", "x"]])
def test_probe_is_told_wrong(options: list[str]) -> None:
    """A usage error, which to a container is a failure like any other."""
    assert probe("grpcs://localhost:1", *options) == 2


def test_container_probes_what_is_never_encrypted(tmp_path: Path) -> None:
    """The operators' socket: a container that is given certificates stays healthy."""
    authority = Authority()
    tls = TlsSettings(**write_pair(tmp_path, authority.vouch_for_server()))
    socket = f"unix:{tmp_path}/o"

    async def walk() -> int:
        async with serving(tmp_path, tls=tls, operators_listen=socket):
            return await asyncio.to_thread(probe, socket)

    assert asyncio.run(walk()) == 0
    for recipe in ("Dockerfile", "Dockerfile.cpu"):
        text = (ROOT / "deploy" / recipe).read_text(encoding="utf-8")
        assert "TABARD_OPERATORS_LISTEN=unix:/tmp/tabard.operators" in text
        assert '"/opt/tabard/healthcheck.py", "unix:/tmp/tabard.operators"]' in text
