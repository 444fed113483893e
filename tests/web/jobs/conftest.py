# SPDX-License-Identifier: Apache-2.0
"""A gateway in front of a real server on the fake engine: what it begins outlives it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.fakes.real_server import RealServer, real_server
from tests.web.running import gateway_to


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealServer]:
    with real_server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def door(real: RealServer) -> Iterator[httpx.Client]:
    with gateway_to(real.address) as client:
        yield client
