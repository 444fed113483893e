# SPDX-License-Identifier: Apache-2.0
"""From settings to a ready server and down again."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_server.app import serve
from tabard_server.errors import BadSettings
from tabard_server.settings import Settings
from tabard_server.startup import Resources
from tests.server.fakes import FakeEngine, FakeLoader


def load_fake(settings: Settings) -> Resources:
    """Load everything but weights."""
    registry = Registry.open(settings.registry)
    return Resources(engine=FakeEngine(), registry=registry, load_adapter=FakeLoader(registry))


def settings_in(folder: Path) -> Settings:
    """Return settings that let the system choose ports."""
    return Settings(
        listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        registry=(folder / "registry").as_uri(),
        ready_file=str(folder / "ready.json"),
    )


def test_ready_server_says_where_it_is(tmp_path: Path) -> None:
    """The callback and the ready file name both addresses; the stop event ends it."""
    told: list[tuple[str, str]] = []

    async def walk() -> None:
        stop = asyncio.Event()

        def ready(address: str, metrics_address: str) -> None:
            told.append((address, metrics_address))
            stop.set()

        await serve(settings_in(tmp_path), on_ready=ready, stop=stop, load=load_fake)

    asyncio.run(walk())
    document = json.loads((tmp_path / "ready.json").read_text())
    assert document == {
        "address": told[0][0],
        "metrics_address": told[0][1],
        "pid": os.getpid(),
    }
    assert not told[0][0].endswith(":0")


def test_metrics_page_can_be_off(tmp_path: Path) -> None:
    """An empty address means no page."""
    told: list[str] = []

    async def walk() -> None:
        stop = asyncio.Event()
        settings = settings_in(tmp_path).model_copy(update={"metrics_listen": ""})

        def ready(_address: str, metrics_address: str) -> None:
            told.append(metrics_address)
            stop.set()

        await serve(settings, on_ready=ready, stop=stop, load=load_fake)

    asyncio.run(walk())
    assert told == [""]


@pytest.mark.parametrize("name", ["listen", "metrics_listen"])
def test_taken_address_stops_the_start(tmp_path: Path, name: str) -> None:
    """A port that another process has is refused with advice, and nothing keeps running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = settings_in(tmp_path).model_copy(update={name: address})

        with pytest.raises(BadSettings) as refusal:
            asyncio.run(serve(settings, load=load_fake))

    assert refusal.value.reason == "ADDRESS_NOT_AVAILABLE"
    assert not (tmp_path / "ready.json").exists()
