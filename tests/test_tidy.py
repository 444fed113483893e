# SPDX-License-Identifier: Apache-2.0
"""The tree keeps the house rules, and every rule is seen to fail on an example that breaks it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.root import ROOT
from tests.tidy import (
    FUNCTION_LINES_P90_MAX,
    RULES,
    Rule,
    function_lengths,
    ninetieth_percentile,
)

FOLDERS = (".ci", "clients", "deploy", "docs", "proto", "registry", "server", "tests")
PACKAGES = ("clients/python/tabard", "registry/tabard_registry", "server/tabard_server")
GENERATED = "clients/python/tabard/v1"


def tree() -> Iterator[Path]:
    """Yield the files people write: not the generated stubs, not caches, not binary data."""
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file())


def read(path: Path) -> tuple[PurePosixPath, str] | None:
    """Return the path within the tree and the text, or None for what no rule is about."""
    name = PurePosixPath(path.relative_to(ROOT).as_posix())
    if "__pycache__" in name.parts or str(name).startswith(GENERATED):
        return None
    try:
        return name, path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


TEXTS = tuple(sorted(found for path in tree() if (found := read(path)) is not None))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_tree_keeps_the_rule(rule: Rule) -> None:
    """No file of the tree breaks the rule."""
    readable = [(path, text) for path, text in TEXTS if rule.reads(path)]

    complaints = [f"{path}: {told}" for path, text in readable for told in rule.judge(path, text)]

    assert readable, "the rule reads no file at all"
    assert not complaints, "\n".join([rule.says, *complaints])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_rule_sees_broken_example(rule: Rule) -> None:
    """A rule that cannot fail is no rule."""
    path = PurePosixPath(rule.broken_path)

    complaints = list(rule.judge(path, rule.broken_text))

    assert rule.reads(path)
    assert len(complaints) == 1


@pytest.mark.parametrize("package", PACKAGES)
def test_long_functions_stay_rare(package: str) -> None:
    """Nine functions of ten fit on half a screen."""
    lengths = [
        lines
        for path, text in TEXTS
        if str(path).startswith(package + "/") and path.suffix == ".py"
        for _name, _line, lines in function_lengths(text)
    ]

    longest_usual = ninetieth_percentile(lengths)

    assert longest_usual <= FUNCTION_LINES_P90_MAX


def test_percentile_sees_long_tail() -> None:
    """Two long functions among ten push the 90th percentile over the limit."""
    usual, long = [10] * 8, [60] * 2

    assert ninetieth_percentile(usual) <= FUNCTION_LINES_P90_MAX
    assert ninetieth_percentile(usual + long) > FUNCTION_LINES_P90_MAX


def test_test_folders_are_packages() -> None:
    """Two tests of one name in two folders never shadow each other."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}

    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_commented_proto_passes() -> None:
    """A comment above each declaration is enough; a closing brace needs none."""
    rule = next(rule for rule in RULES if rule.broken_path.endswith(".proto"))
    text = "// M.\nmessage M {\n  // Its name.\n  optional string name = 1;\n}\n"

    assert list(rule.judge(PurePosixPath("m.proto"), text)) == []
