# SPDX-License-Identifier: Apache-2.0
"""The tree keeps the house rules, and every rule is seen to fail on an example that breaks it."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

from tests.root import ROOT
from tests.tidy.mirror import PACKAGES, modules_without_tests
from tests.tidy.text import (
    FUNCTION_LINES_P90_MAX,
    RULES,
    Rule,
    function_lengths,
    ninetieth_percentile,
)
from tests.tidy.tree import GENERATED, TREE_RULES, TreeRule, tree


@pytest.fixture(scope="module")
def texts() -> Mapping[PurePosixPath, str]:
    """The files that people write: neither generated stubs nor binary data."""
    found = {}
    for path in tree():
        if not str(path).startswith(GENERATED):
            try:
                found[path] = (ROOT / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return found


@pytest.fixture(scope="module")
def complaints(texts: Mapping[PurePosixPath, str]) -> Mapping[str, list[str]]:
    """What each rule says, file by file: a file is parsed once for all rules."""
    found: dict[str, list[str]] = {rule.says: [] for rule in RULES}
    for path, text in texts.items():
        for rule in RULES:
            if rule.reads(path):
                found[rule.says] += [f"{path}: {told}" for told in rule.judge(path, text)]
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_tree_keeps_the_rule(
    rule: Rule, texts: Mapping[PurePosixPath, str], complaints: Mapping[str, list[str]]
) -> None:
    """No file of the tree breaks the rule."""
    assert any(rule.reads(path) for path in texts), "the rule reads no file at all"
    assert not complaints[rule.says], "\n".join([rule.says, *complaints[rule.says]])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_rule_sees_broken_example(rule: Rule) -> None:
    """A rule that cannot fail is no rule."""
    path = PurePosixPath(rule.broken_path)

    found = list(rule.judge(path, rule.broken_text))

    assert rule.reads(path)
    assert len(found) == 1


@pytest.mark.parametrize("rule", TREE_RULES, ids=lambda rule: rule.says)
def test_tree_is_in_order(rule: TreeRule) -> None:
    """The tree as a whole keeps the rule."""
    found = list(rule.judge(tree()))

    assert not found, "\n".join([rule.says, *found])


@pytest.mark.parametrize("rule", TREE_RULES, ids=lambda rule: rule.says)
def test_tree_rule_sees_broken_example(rule: TreeRule) -> None:
    """A rule that cannot fail is no rule."""
    found = list(rule.judge([PurePosixPath(name) for name in rule.broken]))

    assert len(found) == 1


def test_module_without_tests_is_found() -> None:
    """Tests of another name, or in another folder, are no tests of the module."""
    names = (
        "registry/tabard_registry/log/__init__.py",
        "registry/tabard_registry/log/chain.py",
        "registry/tabard_registry/log/import_.py",
        "registry/tabard_registry/log/slots.py",
        "tests/registry/log/test_chain_of_others.py",
        "tests/registry/log/test_import.py",
        "tests/registry/test_slots.py",
    )

    found = modules_without_tests([PurePosixPath(name) for name in names])

    assert [path.stem for path in found] == ["chain", "slots"]


@pytest.mark.parametrize("package", PACKAGES.values())
def test_long_functions_stay_rare(package: str, texts: Mapping[PurePosixPath, str]) -> None:
    """Nine functions of ten fit on half a screen."""
    lengths = [
        lines
        for path, text in texts.items()
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


def test_commented_proto_passes() -> None:
    """A comment above each declaration is enough; a closing brace needs none."""
    rule = next(rule for rule in RULES if rule.broken_path.endswith(".proto"))
    text = "// M.\nmessage M {\n  // Its name.\n  optional string name = 1;\n}\n"

    assert list(rule.judge(PurePosixPath("m.proto"), text)) == []
