# SPDX-License-Identifier: Apache-2.0
"""Verbs of release health against a whole server: a fake would only echo what they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.fakes.real_server import RealServer, real_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server in a thread; both clients find it."""
    with real_server(tmp_path) as running:
        yield running
