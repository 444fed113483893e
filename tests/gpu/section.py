# SPDX-License-Identifier: Apache-2.0
"""Results as a section of docs/benchmarks.md, between two marks that stay.

`python -m tests.gpu.section FILE.json` writes the section again from results that came from
another machine.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.gpu.goals import GOALS, Parts
from tests.gpu.ground import ROOT

MACHINE = "machine"
"""The part that says what the others ran on."""
DOCUMENT = ROOT / "docs/benchmarks.md"
_OTHERS = ("longest", "tabard_seconds", "diffusers_seconds", "newcomer_steps")
"""What a table of single numbers has no room for: it stands in the file of results."""


def section_of(results: Mapping[str, Any]) -> str:
    """Return the section, without its marks."""
    name, parts = results["script"], results["parts"]
    lines = [*_head(name, parts), "", *_states(parts)]
    if name == "bench":
        lines += ["", *_goals(parts), "", *_figures(parts)]
    return "\n".join(lines)


def put_section(document: Path, *, name: str, section: str) -> None:
    """Put the section of a script in place of what stands between its marks.

    Raises:
        ValueError: The document lacks the marks.
    """
    begin, end = marks(name)
    text = document.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    if not (found and also):
        raise ValueError(f"{document} lacks {begin} or {end}")
    document.write_text(f"{before}{begin}\n{section}\n{end}{after}", encoding="utf-8")


def marks(name: str) -> tuple[str, str]:
    """Return what stands before and after the section of a script."""
    return f"<!-- gpu-{name} -->", f"<!-- /gpu-{name} -->"


def _head(name: str, parts: Parts) -> Iterator[str]:
    machine = parts.get(MACHINE, {}).get("found", {})
    versions = machine.get("versions", {})
    libraries = ", ".join(f"{library} {version}" for library, version in versions.items())
    yield (
        f"`make gpu-{name}`; {machine.get('day', 'day unknown')}, "
        f"**{machine.get('device', 'device unknown')}**, {machine.get('cores', '?')} cores, "
        f"Python {machine.get('python', '?')}, CUDA {machine.get('cuda') or 'none'}; {libraries}."
    )


def _states(parts: Parts) -> Iterator[str]:
    yield "| part | | seconds | |"
    yield "|---|---|---|---|"
    for name, one in parts.items():
        why = one["why"].strip().splitlines()[-1:] or [one["found"].get("told", "")]
        yield f"| {name} | {one['state']} | {one['seconds']:.0f} | {_cell(why[0])} |"


def _goals(parts: Parts) -> Iterator[str]:
    yield "| goal | found | asked for | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        found = goal.found(parts)
        shown = "-" if found is None else f"{_number(found)}{goal.unit}"
        bound = f"{'at least' if goal.is_least else 'at most'} {goal.bound:g}{goal.unit}"
        yield f"| {goal.says} | {shown} | {bound} | {goal.verdict(parts)} |"


def _figures(parts: Parts) -> Iterator[str]:
    yield "| part | figure | found |"
    yield "|---|---|---|"
    for name, one in parts.items():
        if name != MACHINE:
            for figure, value in _flat(one["found"]):
                yield f"| {name} | {figure} | {_number(value)} |"


def _flat(found: Mapping[str, Any], *, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(value, before=f"{before}{name}: ")
        elif name not in _OTHERS:
            yield before + name.replace("_", " "), value


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1e6 else f"{value:.3g}"
    return _cell(str(value))


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    put_section(DOCUMENT, name=told["script"], section=section_of(told))
