# SPDX-License-Identifier: Apache-2.0
"""`tabard demo --release-health` on the demo base: found out, refused, and taken back by itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.documents
def test_bad_release_is_found_out_without_people(tmp_path: Path) -> None:
    """Every claim holds; the numbers are in the summary, and on the sheet."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tabard", "demo", "--release-health", "--out", str(out)]
    silent = {key: one for key, one in os.environ.items() if not key.endswith("_VERBOSITY")}

    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=silent)

    assert ran.returncode == 0, ran.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["failures"] == []
    assert (summary["evaluation"]["verdict"], summary["canary"]["verdict"]) == (
        "failed",
        "rolled_back",
    )
    assert summary["canary"]["e_value"] >= summary["canary"]["e_value_bound"]
    assert summary["record"]["actor"] == "tabard-server"
    assert "its newest report says Failed" in summary["refused"]
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height > 4 * 128
