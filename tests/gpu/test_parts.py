# SPDX-License-Identifier: Apache-2.0
"""Parts under a budget: what is found is kept, what fails or hangs ends alone, the rest is said."""

import json
import os
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.gpu.parts import GRACE_SECONDS, Part, Results, Tell, later, run_parts

SOON = 60.0


def _tells(numbers: dict[str, int], tell: Tell) -> None:
    for name, number in numbers.items():
        tell({name: number})


def _fails(tell: Tell) -> None:
    tell({"before": 1})
    raise ValueError("it broke")


def _dies(_tell: Tell) -> None:
    os._exit(7)


def _hangs(file: Path, tell: Tell) -> None:
    tell({"before": 1})
    try:
        time.sleep(1000)
    finally:
        file.touch()


def _run(folder: Path, *parts: Part, seconds: float = SOON) -> dict[str, Any]:
    results = Results(folder / "found.json", script="bench")
    run_parts(parts, results, ends_at=time.monotonic() + seconds + GRACE_SECONDS)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())["parts"]
    return found


def test_what_is_told_is_kept(tmp_path: Path) -> None:
    """Later values of a name take the place of earlier ones, and others stay."""
    found = _run(tmp_path, Part(name="a", run=partial(_tells, {"x": 1, "y": 2})))

    assert found["a"]["state"] == "done"
    assert found["a"]["found"] == {"x": 1, "y": 2}


def test_failure_ends_its_part_alone(tmp_path: Path) -> None:
    """What it found before is kept, and so is why it failed; the next part runs."""
    found = _run(
        tmp_path,
        Part(name="fails", run=_fails),
        Part(name="dies", run=_dies),
        Part(name="works", run=partial(_tells, {"x": 1})),
    )

    assert [one["state"] for one in found.values()] == ["failed", "failed", "done"]
    assert found["fails"]["found"] == {"before": 1}
    assert "it broke" in found["fails"]["why"]
    assert "7" in found["dies"]["why"]


def test_late_part_is_stopped_in_order(tmp_path: Path) -> None:
    """It may stop what it started; what it found is kept."""
    hangs = Part(name="hangs", run=partial(_hangs, tmp_path / "left"), seconds_max=2.0)

    found = _run(tmp_path, hangs, Part(name="next", run=partial(_tells, {"x": 1})))

    assert found["hangs"]["state"] == "stopped"
    assert found["hangs"]["found"] == {"before": 1}
    assert (tmp_path / "left").exists()
    assert found["next"]["state"] == "done"


def test_part_without_time_is_named(tmp_path: Path) -> None:
    """It is not begun; one that needs less may still be."""
    long = Part(name="long", run=partial(_tells, {"x": 1}), seconds_min=2 * SOON)

    found = _run(tmp_path, long, Part(name="short", run=partial(_tells, {"x": 1})))

    assert found["long"]["state"] == "left out"
    assert "it needs 120" in found["long"]["why"]
    assert found["short"]["state"] == "done"


def test_file_is_whole_while_parts_run(tmp_path: Path) -> None:
    """After each bit the file says all that is known, and what is under way."""
    seen, path = [], tmp_path / "found.json"

    class Watched(Results):
        def write(self) -> None:
            super().write()
            seen.append(json.loads(path.read_text())["parts"])

    results = Watched(path, script="bench")
    part = Part(name="a", run=partial(_tells, {"x": 1}))
    run_parts([part], results, ends_at=time.monotonic() + SOON)

    states = [one["a"]["state"] for one in seen if "a" in one]
    assert states[0] == "running"
    assert states[-1] == "done"
    assert any(one["a"]["found"] == {"x": 1} and one["a"]["state"] == "running" for one in seen[1:])


def test_run_of_some_parts_keeps_others(tmp_path: Path) -> None:
    """What an earlier run found stays until it is found again."""
    first = Results(tmp_path / "found.json", script="bench")
    parts = [Part(name=name, run=partial(_tells, {"x": 1})) for name in ("a", "b")]
    run_parts(parts, first, ends_at=time.monotonic() + SOON)

    second = Results(tmp_path / "found.json", script="bench", is_continued=True)
    again = Part(name="b", run=partial(_tells, {"x": 2}))
    run_parts([again], second, ends_at=time.monotonic() + SOON)

    assert {name: one.found for name, one in second.parts.items()} == {"a": {"x": 1}, "b": {"x": 2}}


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_parts_start_either_way(tmp_path: Path, start: str) -> None:
    """A part can be sent to a process that shares nothing with this one."""
    results = Results(tmp_path / "found.json", script="bench")
    call = later("tests.gpu.test_parts:tell_what")(3)

    run_parts([Part(name="a", run=call)], results, ends_at=time.monotonic() + SOON, start=start)

    assert results.parts["a"].found == {"what": 3}


def tell_what(what: int, tell: Tell) -> None:
    """Be a function that is called by its name."""
    tell({"what": what})


def test_clock_decides_what_is_left(tmp_path: Path) -> None:
    """No part begins when the grace for stopping it is all that is left."""
    clock = count(0.0, 1.0)
    results = Results(tmp_path / "found.json", script="bench")

    run_parts(
        [Part(name="a", run=partial(_tells, {"x": 1}), seconds_min=1.0)],
        results,
        ends_at=GRACE_SECONDS + 0.5,
        clock=lambda: float(next(clock)),
    )

    assert results.parts["a"].state == "left out"
