# SPDX-License-Identifier: Apache-2.0
"""The command line against the fake server, in this process: exit code, stdout, stderr."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tabard.cli import run
from tabard_registry import BaseProfile
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.clients.fakes.server import FakeServer
from tests.registry.fakes import sd_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Tabard = Callable[..., Ran]


@pytest.fixture
def tabard(
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Tabard:
    """Give `tabard(*arguments)`, with the fake server's address in the environment."""
    monkeypatch.setenv("TABARD_ADDRESS", server.address)
    monkeypatch.setenv("TABARD_ACTOR", "alice")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config-home"))
    for name in ("TABARD_PROFILE", "TABARD_TOKEN", "TABARD_TOKEN_FILE", "TABARD_TLS_CA"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return invoke


@pytest.fixture
def published(tabard: Tabard, style_file: object, other_file: object) -> Tabard:
    """Publish two releases of acme/watercolor, promote both in turn, and give the command line."""
    for version, file in (("1.0.0", style_file), ("1.1.0", other_file)):
        assert tabard("publish", "acme/watercolor", file, "--version", version).code == 0
        assert tabard("promote", f"acme/watercolor@{version}").code == 0
    return tabard


def _profile_of(base: str, *, asked: dict[str, object]) -> BaseProfile:
    if base != "demo":
        raise BaseNotLoadable(f"there is no base {base}", hint="name a diffusers folder")
    return sd_profile()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small base without torch in the engine's place."""
    profile: Any = ModuleType("tabard_server.engine.base.profile")
    profile.profile_of = _profile_of
    schedule: Any = ModuleType("tabard_server.engine.base.schedules.schedule")
    schedule.Asked = dict
    for module in (profile, schedule, ModuleType("tabard_server.engine.load_engine")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
