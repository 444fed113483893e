# SPDX-License-Identifier: Apache-2.0
"""What make would do on a fresh clone, read from what it says that it would do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.root import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what make reads, and no environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def would_do(clone: Path, *words: str) -> str:
    """Return what make would run."""
    ran = subprocess.run(
        ["make", "-n", *words], cwd=clone, capture_output=True, text=True, check=True
    )
    return ran.stdout


def test_demo_installs_no_tools(clone: Path) -> None:
    """A visitor gets what serving needs, in an environment of its own."""
    said = would_do(clone, "demo")

    assert ".venv-demo/bin/python -m pip install -c constraints.txt -e '.[server,web]'" in said
    assert ".venv-demo/bin/tabard demo" in said
    assert "[dev]" not in said
    assert " .venv/" not in said


def test_demo_uses_what_contributors_have(clone: Path) -> None:
    """Nobody gets PyTorch twice."""
    stamp = clone / ".venv" / ".tabard-setup"
    stamp.parent.mkdir()
    stamp.touch()

    said = would_do(clone, "demo")

    assert ".venv/bin/tabard demo" in said
    assert "pip install" not in said


@pytest.mark.parametrize("word", ["demo", "setup"])
def test_torch_comes_from_where_it_is_said(clone: Path, word: str) -> None:
    """The CPU build comes before the rest, with the same pin; by default there is no such step."""
    index = "https://download.pytorch.org/whl/cpu"

    said = would_do(clone, word, f"TORCH_INDEX={index}")

    first, second = (line for line in said.splitlines() if "pip install" in line)
    assert f"-c constraints.txt --no-deps --index-url {index} torch" in first
    assert "-e '.[" in second
    assert "--index-url" not in would_do(clone, word)


def test_every_word_is_explained() -> None:
    """`make help` and CONTRIBUTING tell of each, and CONTRIBUTING tells of no other."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    words = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    rows = set(re.findall(r"^\| `make ([a-z-]+)` \|", contributing, flags=re.MULTILINE))

    assert rows == words - {"help", "clean"}
