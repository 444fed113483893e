# SPDX-License-Identifier: Apache-2.0
"""The modules of the page say what they take and give, and hold it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.page.browser import TOOLS, required

pytestmark = pytest.mark.page


def compiled(project: Path) -> str:
    node = required("node", shutil.which("node"))
    compiler = required("typescript of npm", TOOLS / "node_modules/typescript/bin/tsc")
    ran = subprocess.run(
        [node, compiler, "--project", project], capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


def test_types_hold() -> None:
    """`tsc --checkJs`, strictly."""
    assert compiled(TOOLS / "tsconfig.json") == ""


def test_wrong_types_are_found(tmp_path: Path) -> None:
    """The same options see a mistake."""
    options = (TOOLS / "tsconfig.json").read_text(encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(
        options.replace("../../../../clients/web/tabard_web/page/files/", "")
    )
    (tmp_path / "wrong.js").write_text(
        "/** @param {number} a */\nexport const f = (a) => a;\nf('a');\n"
    )

    assert "wrong.js(3,3): error TS2345" in compiled(tmp_path / "tsconfig.json")
