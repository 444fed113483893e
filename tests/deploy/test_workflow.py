# SPDX-License-Identifier: Apache-2.0
"""The workflow for mirrors is one that GitHub would take, and says what .ci/run says."""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.root import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"


def complaints(workflow: Path) -> str:
    """Return what GitHub's schema, as check-jsonschema brings it, has against a workflow."""
    schema = ["--builtin-schema", "vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, str(workflow)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr if ran.returncode else ""


def test_workflow_is_valid() -> None:
    """Keys and values are those that GitHub knows."""
    assert complaints(WORKFLOW) == ""


def test_wrong_workflow_is_told(tmp_path: Path) -> None:
    """A key that is misspelt would be found."""
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOW.read_text().replace("runs-on", "run-on"), encoding="utf-8")

    assert "run-on" in complaints(wrong)


def test_workflow_says_ci_run() -> None:
    """It tests by the script alone, and keeps what `make wheel` and `make site` left."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["ci"]["steps"]

    assert {"run": ".ci/run"} in steps
    assert steps[-1]["with"]["path"].split() == ["dist/", "build/site/html/"]
