# SPDX-License-Identifier: Apache-2.0
"""The commands that need the server's packages name the missing extra and fit the settings."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tabard.cli.program import commands
from tabard_registry import BaseProfile, ModuleShape
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.settings import Settings
from tabard_server.settings_sources import setting_names
from tests.clients.cli.conftest import Tabard


def _profile_of(base: str) -> BaseProfile:
    if base != "demo":
        raise BaseNotLoadable(f"there is no base {base}", hint="name a diffusers folder")
    shape = ModuleShape(kind="linear", inputs=8, outputs=8)
    return BaseProfile(
        family="sd1",
        fingerprints={"unet": "sha256:" + "0" * 64},
        modules={"unet": {"mid.to_q": shape}},
        token_widths={"text_encoder": 8},
    )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a base without torch in the engine's place."""
    profile: Any = ModuleType("tabard_server.engine.base.profile")
    profile.profile_of = _profile_of
    for module in (profile, ModuleType("tabard_server.engine.load_engine")):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, engine: None) -> list[Settings]:
    """Put an app that ends at once in the server's place; give the settings it was run with."""
    settings: list[Settings] = []

    async def serve(given: Settings, *, on_ready: Callable[[str, str], None]) -> None:
        settings.append(given)
        on_ready("127.0.0.1:4242", "")

    app: Any = ModuleType("tabard_server.app")
    app.serve = serve
    monkeypatch.setitem(sys.modules, "tabard_server.app", app)
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    return settings


def test_local_check_needs_no_server(tabard: Tabard, engine: None, refused_file: Path) -> None:
    """The intake runs here, and its report is the same kind of answer."""
    ran = tabard("check", refused_file, "--base", "demo", "--address", "127.0.0.1:1", "--json")

    assert ran.code == 4
    assert not ran.document["accepted"]
    assert ran.document["problems"][0]["remedy"]


def test_local_check_names_bad_base(tabard: Tabard, engine: None, refused_file: Path) -> None:
    """The engine's reason and hint reach the user."""
    ran = tabard("check", refused_file, "--base", "nowhere")

    assert ran.code == 4
    assert "reason: BASE_NOT_LOADABLE" in ran.err
    assert "hint: name a diffusers folder" in ran.err


@pytest.mark.parametrize(
    ("absent", "arguments"),
    [
        ("tabard_server.engine.base.profile", ("check", "FILE", "--base", "demo")),
        ("tabard_server.settings_sources", ("serve",)),
        ("tabard_server.engine.load_engine", ("serve",)),
        ("torch", ("demo", "--out", "unused")),
    ],
)
def test_missing_extra_is_named(
    tabard: Tabard,
    refused_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    absent: str,
    arguments: tuple[str, ...],
) -> None:
    """A base install says what to install, and writes nothing."""
    monkeypatch.setitem(sys.modules, absent, None)

    ran = tabard(*(str(refused_file) if one == "FILE" else one for one in arguments))

    assert ran.code == 5
    assert "hint: pip install 'tabard[server]'" in ran.err


def test_serve_options_become_settings(
    tabard: Tabard, served: list[Settings], tmp_path: Path
) -> None:
    """File, then options; `--set` reaches every other setting."""
    (tmp_path / "tabard.toml").write_text('base = "from-file"\nregistry = "from-file"\n')
    options = ["--config", tmp_path / "tabard.toml", "--base", "demo", "--listen", "127.0.0.1:0"]
    options += ["--set", "limits.steps_max=9", "--insecure", "--metrics-listen", ""]
    options += ["--single-writer", "--cache", tmp_path / "cache"]

    ran = tabard("serve", *options, "--json")

    (settings,) = served
    assert (settings.base, settings.registry) == ("demo", "from-file")
    assert (settings.limits.steps_max, settings.insecure) == (9, True)
    assert (settings.single_writer, settings.cache) == (True, str(tmp_path / "cache"))
    assert json.loads(ran.out)["address"] == "127.0.0.1:4242"


def test_serve_refuses_open_address(tabard: Tabard, served: list[Settings]) -> None:
    """The server's own reason and hint are shown; nothing was served."""
    ran = tabard("serve", "--listen", "0.0.0.0:50051")

    assert (ran.code, served) == (4, [])
    assert "reason: INSECURE_LISTEN" in ran.err


def test_serve_refuses_unknown_setting(tabard: Tabard, served: list[Settings]) -> None:
    """A setting that does not exist is not passed over."""
    ran = tabard("serve", "--set", "limits.nonsense=1")

    assert (ran.code, served) == (4, [])
    assert "limits.nonsense" in ran.err


def test_serve_options_are_settings() -> None:
    """Every option that names a setting names one that exists."""
    options = {str(option.name) for option in commands.commands["serve"].params}

    assert options - {"config", "settings", "is_json"} <= set(setting_names())
