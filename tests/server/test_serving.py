# SPDX-License-Identifier: Apache-2.0
"""From settings to a ready server and down again."""

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_server.__main__ import main
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.errors import BadSettings
from tabard_server.life.process import Ending
from tabard_server.serving import serve
from tabard_server.settings import Settings
from tabard_server.startup.resources import Resources
from tabard_server.telemetry.metrics import Metrics
from tests.server.fakes import FakeEngine, FakeLoader


def load_fake(settings: Settings, _metrics: Metrics) -> Resources:
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
    documents = []

    async def walk() -> None:
        stop = asyncio.Event()

        def ready(address: str, metrics_address: str) -> None:
            told.append((address, metrics_address))
            documents.append(json.loads((tmp_path / "ready.json").read_text()))
            stop.set()

        await serve(settings_in(tmp_path), on_ready=ready, stop=stop, load=load_fake)

    asyncio.run(walk())
    assert documents == [
        {
            "address": told[0][0],
            "operators_address": "",
            "metrics_address": told[0][1],
            "pid": os.getpid(),
        }
    ]
    assert not (tmp_path / "ready.json").exists()
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
    """A port that another process has is refused before anything is loaded, with advice."""
    loaded = []

    def load(settings: Settings, metrics: Metrics) -> Resources:
        loaded.append(settings)
        return load_fake(settings, metrics)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = settings_in(tmp_path).model_copy(update={name: address})

        with pytest.raises(BadSettings) as refusal:
            asyncio.run(serve(settings, load=load))

    assert refusal.value.reason == "ADDRESS_NOT_AVAILABLE"
    assert refusal.value.hint
    assert loaded == []
    assert not (tmp_path / "ready.json").exists()


def test_failed_load_gives_the_ports_back(tmp_path: Path) -> None:
    """What cannot be loaded is told as it is, and both ports can be had again at once."""
    with socket.socket() as one, socket.socket() as other:
        addresses = []
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
            addresses.append(f"127.0.0.1:{free.getsockname()[1]}")
    settings = settings_in(tmp_path).model_copy(
        update=dict(zip(("listen", "metrics_listen"), addresses, strict=True))
    )

    def load(_settings: Settings, _metrics: Metrics) -> Resources:
        raise BaseNotLoadable("no such base", hint="name another")

    for _ in range(2):
        with pytest.raises(BaseNotLoadable):
            asyncio.run(serve(settings, load=load))


def test_stop_while_loading_needs_no_base(tmp_path: Path) -> None:
    """Who is told to stop before the base is there does not wait for it, and says what is left."""
    may_end = threading.Event()

    def load(settings: Settings, metrics: Metrics) -> Resources:
        assert may_end.wait(60.0)
        return load_fake(settings, metrics)

    async def walk() -> Ending:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await serve(settings_in(tmp_path), stop=stop, load=load)

    ending = asyncio.run(walk())
    may_end.set()
    assert ending.abandoned == ["loading"]
    assert not (tmp_path / "ready.json").exists()


def test_ready_file_of_a_killed_server_goes(tmp_path: Path) -> None:
    """While another one loads, nobody is told of an address that nobody listens on."""
    (tmp_path / "ready.json").write_text("{}")
    found = []

    def load(_settings: Settings, _metrics: Metrics) -> Resources:
        found.append((tmp_path / "ready.json").exists())
        raise BaseNotLoadable("no such base", hint="name another")

    with pytest.raises(BaseNotLoadable):
        asyncio.run(serve(settings_in(tmp_path), load=load))
    assert found == [False]


def test_module_helps(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m tabard_server --help` says what it takes, and where settings come from."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "settings" in told and "TABARD_LISTEN" in told
