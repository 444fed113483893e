# SPDX-License-Identifier: Apache-2.0
"""The house rules of the whole tree as pure functions: its paths in, sentences about it out.

Knows which files belong in which top folder. Every rule carries broken paths, as those of texts do.
"""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.root import ROOT
from tests.tidy.mirror import every_module_has_tests, exceptions_without_use, tests_without_module

FOLDER_FILES_MAX = 16
GENERATED = "clients/python/tabard/v1"

Paths = Sequence[PurePosixPath]

BELONGS = {
    "": (
        *(".dockerignore", ".editorconfig", ".gitignore", "LICENSE", "Makefile"),
        *("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"),
        *("buf.yaml", "constraints.txt", "pyproject.toml"),
    ),
    ".ci": ("run",),
    ".github": ("*.yml",),
    "clients": ("*.py", "*.pyi", "py.typed", "*.js", "*.css", "index.html", "logo.svg"),
    "deploy": (
        *("*.py", "*.sh", "*.md", "*.png", "*.json", "*.toml", "*.yaml", "*.yml"),
        *("*.css", "*.html"),
        *(".env", "Dockerfile", "Dockerfile.cpu", "serve"),
        *("*.tpl", "NOTES.txt", ".helmignore", "*.service", "*.socket"),
    ),
    "docs": ("*.md", "*.png", "*.svg", "*.ipynb"),
    "proto": ("*.proto", "tabard.binpb"),
    "registry": ("*.py", "py.typed"),
    "server": ("*.py", "py.typed", "*.json", "*.pt", "*.safetensors", "merges.txt"),
    "tests": ("*.py", "ceph", "inputs.toml", "page.md", "*.json", "*.json.gz", "*.safetensors"),
}
"""Names of files by top folder. Nothing else belongs: no leftovers of merges or editors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRule:
    """One rule of the whole: what it says, how it judges, and what breaks it."""

    says: str
    judge: Callable[[Paths], Iterator[str]]
    broken: tuple[str, ...]


def tree() -> list[PurePosixPath]:
    """Return the files of the repository: what git tracks, and what it would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(set(told.split("\0")) - {""})
    return [PurePosixPath(name) for name in names if (ROOT / name).exists()]


def _only_what_belongs(paths: Paths) -> Iterator[str]:
    for path in paths:
        top = path.parts[0] if len(path.parts) > 1 else ""
        if not any(path.match(name) for name in BELONGS.get(top, ())):
            yield f"{path} does not belong here: remove it, or name its kind in tests/tidy/tree.py"


def _small_folders(paths: Paths) -> Iterator[str]:
    counted = Counter(
        path.parent
        for path in paths
        if path.suffix == ".py" and not str(path).startswith(GENERATED)
    )
    for folder, files in sorted(counted.items()):
        if files > FOLDER_FILES_MAX:
            yield f"{folder} has {files} Python files, at most {FOLDER_FILES_MAX}: split it by idea"


def _test_folders_are_packages(paths: Paths) -> Iterator[str]:
    known = set(paths)
    for folder in sorted({path.parent for path in paths if path.suffix == ".py"}):
        if folder.parts[0] == "tests" and folder / "__init__.py" not in known:
            yield f"{folder} has no __init__.py: two tests of one name would shadow each other"


TREE_RULES = (
    TreeRule(
        says="nothing lies about that does not belong",
        judge=_only_what_belongs,
        broken=("server/tabard_server/slots.py", "server/tabard_server/slots.py.orig"),
    ),
    TreeRule(
        says="a folder is small",
        judge=_small_folders,
        broken=tuple(f"server/room/{number}.py" for number in range(FOLDER_FILES_MAX + 1)),
    ),
    TreeRule(
        says="a folder of tests is a package",
        judge=_test_folders_are_packages,
        broken=("tests/__init__.py", "tests/registry/test_place.py"),
    ),
    TreeRule(
        says="a test is named after what it tests",
        judge=tests_without_module,
        broken=(
            "registry/tabard_registry/log/chain.py",
            "tests/registry/log/test_chain.py",
            "tests/registry/log/test_chain_of_others.py",
            "tests/registry/log/test_others.py",
        ),
    ),
    TreeRule(
        says="a module has tests of its name",
        judge=every_module_has_tests,
        broken=(
            "registry/tabard_registry/log/__init__.py",
            "registry/tabard_registry/log/chain.py",
            "registry/tabard_registry/log/slots.py",
            "tests/registry/log/test_chain_of_others.py",
            "tests/registry/log/test_slots.py",
        ),
    ),
    TreeRule(
        says="an exception is needed",
        judge=exceptions_without_use,
        broken=("registry/tabard_registry/__init__.py",),
    ),
)
