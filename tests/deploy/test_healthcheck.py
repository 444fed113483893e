# SPDX-License-Identifier: Apache-2.0
"""The container's probe, run as the container runs it, against a real health service."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.root import ROOT

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


def probe(address: str) -> int:
    """Return the exit status of the probe."""
    return subprocess.run([sys.executable, PROBE, address], check=False).returncode


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
