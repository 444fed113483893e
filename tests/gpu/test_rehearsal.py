# SPDX-License-Identifier: Apache-2.0
"""Both scripts on a CPU with toy sizes, as on a GPU, as far as a CPU can go."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gpu.bench import parts_of as bench_parts
from tests.gpu.check import files_for_a_gpu
from tests.gpu.check import parts_of as check_parts
from tests.gpu.goals import GOALS
from tests.gpu.ground import LIBRARIES, ROOT, missing
from tests.gpu.section import MACHINE, marks


def _rehearse(script: str, folder: Path, *arguments: str) -> tuple[int, str]:
    # Nothing of the environment of these tests: the scripts find their packages themselves.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-m", f"tests.gpu.{script}", "--rehearse", "--out", str(folder)]
    ran = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


def _found(folder: Path, script: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"gpu-{script}.json").read_text())["parts"]
    return found


@pytest.mark.rehearsal
@pytest.mark.parametrize("script", ["bench", "check"])
def test_script_does_every_part(script: str, tmp_path: Path) -> None:
    """All of them are done, none left out, and the document has a section of them."""
    document = tmp_path / "benchmarks.md"
    begin, end = marks(script)
    document.write_text(f"{begin}\n{end}\n")
    patient = ("--seconds", "3600", "--document", str(document))

    status, said = _rehearse(script, tmp_path, *patient)

    assert status == 0, said
    found = _found(tmp_path, script)
    assert {name: one["state"] for name, one in found.items()} == dict.fromkeys(found, "done")
    parts = (
        check_parts(is_rehearsal=True)
        if script == "check"
        else bench_parts(tmp_path, is_rehearsal=True)
    )
    assert list(found) == [MACHINE, *(part.name for part in parts)]
    assert (tmp_path / f"gpu-{script}.md").read_text() in document.read_text()
    if script == "bench":
        lacking = [goal.says for goal in GOALS if goal.found(found) is None]
        # Only a GPU has a data sheet.
        assert lacking == [goal.says for goal in GOALS if goal.name == "share_of_peak"]


def test_missing_packages_are_named() -> None:
    """Those that cannot be imported, of whatever depth; what is here is not among them."""
    assert missing(["json", "no_such_package", "no_such_package.below"]) == [
        "no_such_package",
        "no_such_package.below",
    ]
    assert missing(LIBRARIES) == []


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    """With those that there are."""
    status, said = _rehearse("check", tmp_path, "--only", "nothing")

    assert status == 2
    assert "no part is called nothing; there are: served, test_" in said


def test_files_for_a_gpu_are_found() -> None:
    """By their mark, not by their name."""
    names = {file.stem for file in files_for_a_gpu()}

    assert {"test_captured_graphs", "test_engine_on_cuda", "test_fused_on_cuda"} <= names
    assert "test_parts" not in names
