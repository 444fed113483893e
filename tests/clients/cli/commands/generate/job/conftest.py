# SPDX-License-Identifier: Apache-2.0
"""The command line in front of a real server, for jobs that a fake would only echo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import real_server


@pytest.fixture
def drawing(tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tabard]:
    """Give `tabard(*arguments)` for a server that draws."""
    with real_server(tmp_path / "server") as server:
        monkeypatch.setenv("TABARD_ADDRESS", server.address)
        yield tabard


@pytest.fixture
def begun(drawing: Tabard) -> str:
    """Give the id of a job of two images that was begun."""
    return str(
        drawing(
            *("generate", "a cat", "--seed", "7", "--count", "2"), "--detach", "--json"
        ).document["job_id"]
    )
