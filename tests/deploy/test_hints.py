# SPDX-License-Identifier: Apache-2.0
"""What the program tells people to install is this distribution, with an extra that it has.

A hint with another name would install a stranger's code.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard.cli.local import extras, registry
from tests.root import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = (
    "clients/python/tabard",
    "clients/web/tabard_web",
    "registry/tabard_registry",
    "server/tabard_server",
)
INSTALL = re.compile(r"pip install '([a-z-]+)\[([a-z0-9]+)\]'")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def texts(file: Path) -> Iterator[str]:
    """Yield every text of a source file that speaks of pip; `…` stands for what is filled in."""
    source = file.read_text(encoding="utf-8")
    if not re.search(r"\bpip\b", source):
        return  # most files, which need not be parsed
    nodes = list(ast.walk(ast.parse(source)))
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts_of_texts = {id(part) for node in joined for part in node.values}
    for node in nodes:
        if id(node) in parts_of_texts:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "…" for one in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if "pip install" in text:
            yield text


def hints() -> list[tuple[str, str]]:
    """Return every hint of the source with the file that has it."""
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return [(file.name, text) for file in files for text in texts(file)]


def test_hints_are_found() -> None:
    """There are some, in the client and in the registry."""
    assert {"extras.py", "place.py", "pickles.py"} <= {name for name, _text in hints()}


@pytest.mark.parametrize(("name", "text"), hints())
def test_hint_names_this_distribution(name: str, text: str) -> None:
    """Under its own name, with an extra that there is; one function fills an extra in."""
    if "…" in text:
        assert name == "extras.py"
        text = extras.install_hint(extras.SERVER_EXTRA)

    found = INSTALL.search(text)

    assert found is not None, text
    assert found[1] == PROJECT["name"]
    assert found[2] in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("extra", [extras.SERVER_EXTRA, registry.REGISTRY_EXTRA])
def test_known_extras_are_hinted_at(extra: str) -> None:
    """Whatever a command finds missing is in the extra that it names."""
    assert extras.install_hint(extra) == f"pip install '{PROJECT['name']}[{extra}]'"
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_this_distribution(document: Path) -> None:
    """In the documents likewise: whatever has an extra in quotes or backticks is ours."""
    text = document.read_text(encoding="utf-8")

    for name, extra in re.findall(r"['`]([\w-]+)\[([a-z0-9]+)\]", text):
        assert name == PROJECT["name"]
        assert extra in PROJECT["optional-dependencies"]


def test_metadata_is_complete() -> None:
    """Who, what for, and under which licence; no host that nobody has."""
    assert PROJECT["authors"] == [{"name": "The Tabard authors"}]
    assert PROJECT["license"] == "Apache-2.0"
    assert (ROOT / PROJECT["license-files"][0]).is_file()
    assert (ROOT / PROJECT["readme"]).is_file()
    assert len(PROJECT["keywords"]) > 5
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(PROJECT["classifiers"])
    assert "urls" not in PROJECT
