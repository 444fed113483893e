# SPDX-License-Identifier: Apache-2.0
"""Results as a section: goals beside what was found, what was left out, nothing else touched."""

from pathlib import Path
from typing import Any

import pytest

from tests.gpu.goals import GOALS
from tests.gpu.section import DOCUMENT, MACHINE, marks, put_section, section_of


def _outcome(state: str = "done", why: str = "", **found: Any) -> dict[str, Any]:
    return {"state": state, "seconds": 12.3, "found": found, "why": why}


def _results(**parts: Any) -> dict[str, Any]:
    machine = _outcome(day="2026-12-01", device="NVIDIA H200", cores=16, cuda="13.0")
    return {"script": "bench", "parts": {MACHINE: machine, **parts}}


def test_section_names_the_hardware() -> None:
    """The device as the driver calls it, in its first line."""
    assert "**NVIDIA H200**" in section_of(_results()).splitlines()[0]


@pytest.mark.parametrize(
    ("gain", "verdict"), [(2.4, "not met"), (2.5, "met"), (None, "not measured")]
)
def test_goals_are_met_or_not(gain: float | None, verdict: str) -> None:
    """What was asked for stands beside what was found."""
    parts = {} if gain is None else {"served": _outcome(gain=gain)}

    lines = [
        line for line in section_of(_results(**parts)).splitlines() if "diffusers loop" in line
    ]

    assert lines[0].endswith(f"| {verdict} |")


def test_most_is_a_bound_from_above() -> None:
    """Less than the most that a thing may cost meets its goal."""
    found = {"engine": _outcome(swap_ms=0.6)}
    goal = next(goal for goal in GOALS if goal.name == "swap_ms")

    assert goal.verdict(found) == "met"
    assert goal.verdict({"engine": _outcome(swap_ms=1.2)}) == "not met"


def test_left_out_parts_are_said() -> None:
    """With why; a pipe in it does not break the table."""
    parts = {"sdxl compiled": _outcome("left out", "3 s are left | and it needs 80")}

    section = section_of(_results(**parts))

    assert "| sdxl compiled | left out | 12 | 3 s are left / and it needs 80 |" in section


def test_section_takes_the_place_of_the_last(tmp_path: Path) -> None:
    """Only what stands between the marks changes, however often."""
    document = tmp_path / "benchmarks.md"
    begin, end = marks("bench")
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")

    for section in ("one", "two"):
        put_section(document, name="bench", section=section)

    assert document.read_text() == f"before\n{begin}\ntwo\n{end}\nafter\n"


def test_document_without_marks_is_refused(tmp_path: Path) -> None:
    """Nothing is written where nobody would look for it."""
    document = tmp_path / "benchmarks.md"
    document.write_text("nothing")

    with pytest.raises(ValueError, match="lacks"):
        put_section(document, name="check", section="x")


@pytest.mark.parametrize("name", ["check", "bench"])
def test_document_has_its_marks(name: str) -> None:
    """Once each."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert [text.count(mark) for mark in marks(name)] == [1, 1]
