# SPDX-License-Identifier: Apache-2.0
"""Before a server: slips of the hand are answered at once, and words of others passed over."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.startup.prelude import prepare
from tests.root import ROOT
from tests.server.telemetry.logged import logged

HEAVY = "{'torch', 'diffusers', 'transformers', 'accelerate', 'peft', 'tabard_server.app'}"


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Leave the log of this process as it was."""
    root, own = logging.getLogger(), logging.getLogger("tabard")
    kept = [(one, list(one.handlers), one.level, one.propagate) for one in (root, own)]
    hooks = sys.excepthook
    yield
    for one, handlers, level, propagate in kept:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)
    sys.excepthook = hooks
    logging.captureWarnings(False)


def test_settings_are_read_and_base_found() -> None:
    """A base that is there, by any of its words."""
    settings = prepare(environment={"TABARD_BASE_CONFIG": "demo"}, overrides={"base": "demo"})

    assert (settings.base, settings.base_config) == ("demo", "demo")


@pytest.mark.parametrize("name", ["base", "base_config"])
def test_absent_base_ends_the_start(name: str) -> None:
    """Of a base, and of the configs of a single file."""
    with pytest.raises(BaseNotLoadable, match="neither a folder"):
        prepare(overrides={name: "/nowhere/at/all"})


def test_variables_of_a_service_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """They are no settings, and one line says that they were passed over."""
    prepare(
        environment={"TABARD_PORT": "tcp://10.0.0.1:50051", "TABARD_LOG_FORMAT": "text"},
        overrides={"base": "demo"},
    )

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "settings.variables_ignored names=TABARD_PORT" in told[0]


def test_nothing_is_told_without_them(caplog: pytest.LogCaptureFixture) -> None:
    """A server elsewhere has nothing to say of Services."""
    prepare(environment={}, overrides={"base": "demo"})

    assert logged(caplog, "settings.variables_ignored") == []


@pytest.mark.parametrize("base", ["/nowhere/at/all", "nobody/nothing"])
@pytest.mark.parametrize("how", ["-m tabard serve", "-m tabard_server"])
def test_absent_base_loads_no_library(how: str, base: str, tmp_path: Path) -> None:
    """It is refused before anything slow is imported, by both ways to start a server."""
    module = how.split()[1]
    watch = (
        "import atexit, runpy, sys; "
        f"atexit.register(lambda: print(*({HEAVY} & set(sys.modules)))); "
        f"sys.argv = ['x', *{how.split()[2:]}]; "
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    environment = os.environ | {
        "TABARD_BASE": base,
        "TABARD_REGISTRY": str(tmp_path / "registry"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
    }

    ran = subprocess.run(
        [sys.executable, "-c", watch],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == (2 if module == "tabard_server" else 4)
    assert base in ran.stderr
    assert "BASE_NOT_LOADABLE" in ran.stderr
    assert ran.stdout.split() == []
    assert not (tmp_path / "registry").exists()
