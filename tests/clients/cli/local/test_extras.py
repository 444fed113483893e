# SPDX-License-Identifier: Apache-2.0
"""Where the server's packages are missing or refuse something, the SDK's errors say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabard import FailedPrecondition, InvalidArgument
from tabard.cli.local.extras import missing_extra, quieten_libraries, reported_as_invalid

VARIABLES = ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY", "TQDM_DISABLE")


class Refusal(Exception):
    """Stands for an error of the server."""

    reason, hint = "BASE_NOT_LOADABLE", "name another"


def test_missing_module_names_the_extra() -> None:
    """What is needed, for what, and how to get it."""
    with pytest.raises(FailedPrecondition, match="tabard serve needs torch") as caught:  # noqa: SIM117
        with missing_extra("server", needed_for="tabard serve"):
            raise ModuleNotFoundError(name="torch")

    assert caught.value.reason == "EXTRA_MISSING"
    assert caught.value.hint == "pip install 'tabard[server]'"


def test_refusal_keeps_reason_and_hint() -> None:
    """The server's words reach the user."""
    with pytest.raises(InvalidArgument, match="no base") as caught, reported_as_invalid(Refusal):
        raise Refusal("no base")

    assert (caught.value.reason, caught.value.hint) == ("BASE_NOT_LOADABLE", "name another")


def test_other_errors_pass_through() -> None:
    """A fault of ours is not called the user's."""
    with pytest.raises(ZeroDivisionError), reported_as_invalid(Refusal):
        _ = 1 / 0


@pytest.mark.parametrize(("base", "is_at_hand"), [("demo", True), ("owner/name", False)])
def test_bars_stay_for_downloads(
    base: str, is_at_hand: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chatter is off; a bar is shown when something may come over the network."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    quieten_libraries(base)

    assert [os.environ.get(name) for name in VARIABLES[:2]] == ["error", "error"]
    assert ("TQDM_DISABLE" in os.environ) == is_at_hand


def test_what_the_user_said_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set wins."""
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "debug")

    quieten_libraries("demo")

    assert os.environ["TRANSFORMERS_VERBOSITY"] == "debug"


@pytest.mark.parametrize("command", ["check x --base", "extract x --out y --base"])
def test_absent_base_is_told_before_anything_slow(command: str) -> None:
    """No model library is imported to find out that a path leads nowhere."""
    script = (
        "import sys; from tabard.cli.program import run; "
        f"code = run([*{command.split()}, '/nowhere/at/all']); "
        "print(code, *({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.split() == ["4"]
    assert "neither a folder" in ran.stderr
