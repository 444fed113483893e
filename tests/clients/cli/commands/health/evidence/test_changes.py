# SPDX-License-Identifier: Apache-2.0
"""What people change of a report, as pure functions of JSON."""

from __future__ import annotations

from typing import Any

import click
import pytest

from tabard.cli.commands.health.evidence.changes import (
    CHECKS,
    assign,
    editable,
    is_same,
    merged,
)
from tabard_registry.evidence.report import PEOPLES_FIELDS
from tabard_registry.release import health

REPORT: dict[str, Any] = {
    "kind": "report",
    "v": 1,
    "verdict": "Failed",
    "scores": [{"name": "style"}],
    "candidates": [
        {"image": "sha256:" + "a" * 64, "prompt": 0, "seed": 1},
        {"image": "sha256:" + "b" * 64, "prompt": 0, "seed": 2, "why": "clean"},
    ],
    "checks": {"artifact": {"state": "flagged", "by": "eve", "note": "a sixth finger"}},
    "technical": {"steps": 4, "weight": 0.5},
}


def changed(*said: str, note: str = "") -> dict[str, Any]:
    """The report after some assignments."""
    part = editable(REPORT)
    for one in said:
        assign(part, one, note=note)
    return merged(REPORT, part)


def test_words_are_those_of_the_registry() -> None:
    """What people complete, and the six checks."""
    assert set(editable({})) == set(PEOPLES_FIELDS)
    assert health.CHECKS == CHECKS


def test_everything_stands_there() -> None:
    """Also what is not said yet, so that an editor shows it."""
    part = editable(REPORT)

    assert part["goal"] == {"purpose": "", "statement": "", "why_this_method": ""}
    assert list(part["checks"]) == list(CHECKS)
    assert part["checks"]["artifact"]["by"] == "eve"
    assert [one["selected"] for one in part["candidates"]] == [False, False]


def test_nothing_changed_is_seen() -> None:
    """Written out or not."""
    assert is_same(REPORT, changed())
    assert not is_same(REPORT, changed("outcome=kept"))
    assert not is_same(REPORT, {**REPORT, "verdict": "Success"})


@pytest.mark.parametrize(
    ("said", "path", "value"),
    [
        ("outcome=a=b", ("outcome",), "a=b"),
        ("goal.statement=ink", ("goal", "statement"), "ink"),
        ("candidates.0.selected=true", ("candidates", 0, "selected"), True),
        ("candidates.bbbbbbbbbbbb.why=", ("candidates", 1, "why"), ""),
        ("technical.weight=1", ("technical", "weight"), 1),
        ("checks.copyright=clear", ("checks", "copyright", "state"), "clear"),
        ("checks.artifact.note=gone", ("checks", "artifact", "note"), "gone"),
    ],
)
def test_field_is_assigned(said: str, path: tuple[Any, ...], value: Any) -> None:
    """By names, places and digits."""
    found: Any = changed(said)
    for step in path:
        found = found[step]

    assert found == value
    assert changed(said)["scores"] == REPORT["scores"]


def test_note_goes_to_the_check() -> None:
    """Of those that are set; another one keeps its own."""
    checks = changed("checks.portrait=clear", note="nobody in it")["checks"]

    assert checks["portrait"]["note"] == "nobody in it"
    assert checks["artifact"] == REPORT["checks"]["artifact"]
    assert changed("checks.artifact=clear")["checks"]["artifact"]["note"] == "a sixth finger"


@pytest.mark.parametrize(
    "said",
    [
        "outcome",
        "=x",
        "verdict=Success",
        "checks.beauty=clear",
        "candidates.2.selected=true",
        "candidates.0.selected=yes",
        "candidates.0.selected=1",
        "candidates.cccccccccccc.why=x",
        "technical.steps=many",
        "technical.steps=true",
        "goal.statement.x=1",
        "..=1",
    ],
)
def test_impossible_field_is_refused(said: str) -> None:
    """Before a server is asked."""
    with pytest.raises(click.UsageError):
        changed(said)


def test_measured_field_in_a_file_is_refused() -> None:
    """Unless it is a whole report, of which the server sees what is measured."""
    with pytest.raises(click.UsageError, match="people do not complete 'verdict'"):
        merged(REPORT, {"verdict": "Success"})
    assert merged(REPORT, {**REPORT, "outcome": "x"})["outcome"] == "x"


def test_half_a_goal_keeps_the_rest() -> None:
    """A file says as much as it says."""
    whole = merged(REPORT, {"goal": {"statement": "ink"}, "checks": {"artifact": {"note": "?"}}})

    assert whole["goal"] == {"purpose": "", "statement": "ink", "why_this_method": ""}
    assert whole["checks"]["artifact"] == {"state": "flagged", "by": "eve", "note": "?"}
