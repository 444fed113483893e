# SPDX-License-Identifier: Apache-2.0
"""What images install before any source is there is what the distribution asks for."""

import subprocess
import sys

import pytest

from tests.root import ROOT

PROGRAM = ROOT / "deploy" / "dependencies.py"


def printed(*extras: str) -> list[str]:
    """Run it as an image does."""
    ran = subprocess.run(
        [sys.executable, PROGRAM, *extras], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


@pytest.mark.parametrize("extra", ["registry", "server"])
def test_everything_of_an_extra_is_printed(extra: str) -> None:
    """The project's own, the extra's, and those of the extras it includes; nothing of ours."""
    found = printed(extra)

    assert {"click>=8.1", "boto3>=1.36"} <= set(found)
    assert ("torch>=2.11" in found) == (extra == "server")
    assert not any(line.startswith("tabard") for line in found)
    assert len(found) == len(set(found))


def test_extras_of_an_image_are_printed() -> None:
    """A server that traces, and the gateway."""
    found = set(printed("telemetry", "web"))

    assert {*printed("telemetry"), *printed("web")} == found


def test_no_tool_of_contributors_is_printed() -> None:
    """An image tests and lints nothing."""
    assert not any(
        line.startswith(("pytest", "ruff", "mypy", "moto")) for line in printed("server")
    )


def test_unknown_extra_is_an_error() -> None:
    """An image must not be built without what it serves with."""
    ran = subprocess.run(
        [sys.executable, PROGRAM, "nothing"], cwd=ROOT, capture_output=True, check=False
    )

    assert ran.returncode != 0
