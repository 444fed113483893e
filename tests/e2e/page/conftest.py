# SPDX-License-Identifier: Apache-2.0
"""A browser, and a gateway to a server with styles of which one has hostile words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tabard import Client
from tests.e2e.conftest import RunningServer, run_server
from tests.e2e.page import hostile
from tests.e2e.page.browser import Visit, launched, visiting
from tests.e2e.web.conftest import run_gateway


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture(scope="session")
def shown_server(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with `acme/ink` in three versions, a word, a recipe, and the hostile line."""
    folder = tmp_path_factory.mktemp("shown-server")
    with run_server(folder, base=tiny_base, is_forked=True, cache=str(folder / "cache")) as server:
        with Client(server.address, actor="mira") as client:
            for number in range(3):
                client.publish(
                    "acme/ink",
                    tiny_files[f"style{number}"],
                    version=f"1.{number}.0",
                    notes="Washes of ink",
                    title="Quiet ink",
                    trigger_words=["quiet ink"],
                )
                client.promote(f"acme/ink@1.{number}.0", reason=f"number {number}")
            client.publish("acme/plum", tiny_files["plum"], version="1.0.0")
            client.promote("acme/plum@1.0.0")
            client.publish_recipe("acme/both", ["acme/ink@1.0.0:0.5"], version="1.0.0")
        files = [tiny_files["style0"], tiny_files["style3"]]
        hostile.plant(server.address, files=files, folder=folder)
        yield server


@pytest.fixture(scope="session")
def client(shown_server: RunningServer) -> Iterator[Client]:
    with Client(shown_server.address, actor="mira") as one:
        yield one


@pytest.fixture(scope="session")
def url(shown_server: RunningServer) -> Iterator[str]:
    with run_gateway(shown_server.address) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """Somebody at a desk, whose browser has nothing to complain of."""
    with visiting(browser, url) as one:
        yield one
        assert one.complaints == []
