# SPDX-License-Identifier: Apache-2.0
"""`tabard serve`: options become settings that exist, and what the server refuses is told."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tabard.cli.program import commands
from tabard_server.life.process import Ending
from tabard_server.settings import Settings
from tabard_server.settings_sources import setting_names
from tests.clients.cli.conftest import Tabard


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, engine: None) -> list[Settings]:
    """Put an app that ends at once in the server's place; give the settings it was run with."""
    settings: list[Settings] = []

    async def serve(given: Settings, *, on_ready: Callable[[str, str], None]) -> Ending:
        settings.append(given)
        on_ready("127.0.0.1:4242", "")
        return Ending()

    app: Any = ModuleType("tabard_server.serving")
    app.serve = serve
    monkeypatch.setitem(sys.modules, "tabard_server.serving", app)
    # The real one would see to the end of this process.
    monkeypatch.setattr("tabard_server.life.process.run_to_the_end", asyncio.run)
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    return settings


def test_serve_options_become_settings(
    tabard: Tabard, served: list[Settings], tmp_path: Path
) -> None:
    """File, then options; `--set` reaches every other setting."""
    (tmp_path / "tabard.toml").write_text('base = "from-file"\nregistry = "from-file"\n')
    options = ["--config", tmp_path / "tabard.toml", "--base", "demo", "--listen", "127.0.0.1:0"]
    options += ["--set", "limits.steps_max=90", "--insecure", "--metrics-listen", ""]
    options += ["--single-writer", "--cache", tmp_path / "cache"]

    ran = tabard("serve", *options, "--json")

    (settings,) = served
    assert (settings.base, settings.registry) == ("demo", "from-file")
    assert (settings.limits.steps_max, settings.insecure) == (90, True)
    assert (settings.single_writer, settings.cache) == (True, str(tmp_path / "cache"))
    assert json.loads(ran.out)["address"] == "127.0.0.1:4242"


def test_serve_refuses_open_address(tabard: Tabard, served: list[Settings]) -> None:
    """The server's own reason and hint are shown; nothing was served."""
    ran = tabard("serve", "--listen", "0.0.0.0:50051")

    assert (ran.code, served) == (4, [])
    assert "reason: INSECURE_LISTEN" in ran.err


def test_serve_runs_a_gateway_beside_it(
    tabard: Tabard, served: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told where the server listens, and is no setting of the server."""
    told: list[object] = []

    @contextlib.contextmanager
    def gateway(listen: str, **said: object) -> Iterator[Callable[[str], None]]:
        told.append((listen, said["insecure"], said["speaks_tls"]))
        yield told.append
        told.append("stopped")

    monkeypatch.setattr("tabard.cli.commands.serve.serve.gateway_beside", gateway)

    tabard("serve", "--registry", "somewhere", "--web", "127.0.0.1:8080")

    assert told == [("127.0.0.1:8080", False, False), "127.0.0.1:4242", "stopped"]


def test_serve_refuses_unknown_setting(tabard: Tabard, served: list[Settings]) -> None:
    """A setting that does not exist is not passed over."""
    ran = tabard("serve", "--set", "limits.nonsense=1")

    assert (ran.code, served) == (4, [])
    assert "limits.nonsense" in ran.err


def test_serve_options_are_settings() -> None:
    """Every option that names a setting names one that exists."""
    options = {str(option.name) for option in commands.loaded("serve").params}

    assert options - {"config", "settings", "web", "is_json", "is_quiet", "is_verbose"} <= set(
        setting_names()
    )


@pytest.mark.parametrize(
    "absent", ["tabard_server.startup.prelude", "tabard_server.engine.load_engine"]
)
def test_missing_extra_is_named(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: str
) -> None:
    """A base install says what to install, also where only a model library is missing."""
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.setenv("TABARD_CACHE", str(tmp_path / "cache"))
    # The real one would see to the end of this process.
    monkeypatch.setattr("tabard_server.life.process.run_to_the_end", asyncio.run)
    options = ["--registry", tmp_path / "registry", "--listen", "127.0.0.1:0"]

    ran = tabard("serve", *options, "--metrics-listen", "")

    assert ran.code == 5
    assert "hint: pip install 'tabard[server]'" in ran.err
