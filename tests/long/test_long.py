# SPDX-License-Identifier: Apache-2.0
"""The bookkeeping of the long run: what is left, what is kept, and what is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.long import __main__ as long_run
from tests.long import run
from tests.long.parts import SUITES, Part, all_parts
from tests.long.results import Result, Results, state_of
from tests.long.run import NoStore, require_store, run_part, run_parts


def part(name: str, code: str = "print('1 passed')", *, suite: str = "fuzz") -> Part:
    """A part that is a line of Python."""
    return Part(suite=suite, name=name, command=(sys.executable, "-c", code))


def result(*, has_passed: bool = True, seconds: float = 1.0) -> Result:
    """What came of a part."""
    return Result(has_passed=has_passed, seconds=seconds, told="1 passed")


def test_every_suite_has_parts() -> None:
    """Each part has a name of its own, and every marked file is one."""
    parts = all_parts()

    assert tuple(dict.fromkeys(part.suite for part in parts)) == SUITES
    assert len({part.key for part in parts}) == len(parts)
    assert "soak.e2e.test_swap_under_load" in {part.key for part in parts}


@pytest.mark.parametrize(
    ("suite", "option", "total"),
    [("fuzz", "--cases", 100_000), ("simulate", "--histories", 10_000)],
)
def test_parts_cover_all_seeds(suite: str, option: str, total: int) -> None:
    """No seed is left out, none is run twice."""
    commands = [part.command for part in all_parts() if part.suite == suite]
    numbers = [{x: int(c[c.index(x) + 1]) for x in ("--first", option)} for c in commands]

    seeds = [n for one in numbers for n in range(one["--first"], one["--first"] + one[option])]

    assert seeds == list(range(total))


def test_what_passed_is_not_run_again(tmp_path: Path) -> None:
    """After a stop the rest comes first, then what failed; another tree knows nothing of it."""
    parts = [part(name) for name in ("failed", "passed", "new")]
    results = Results(tmp_path, tree="a")
    results.keep(parts[0], result(has_passed=False))
    results.keep(parts[1], result())

    left = Results(tmp_path, tree="a").left(parts)

    assert [one.name for one in left] == ["new", "failed"]
    assert Results(tmp_path, tree="b").left(parts) == parts


def test_forgotten_results_are_gone(tmp_path: Path) -> None:
    """`--again` begins from nothing."""
    results = Results(tmp_path, tree="a")
    results.keep(part("x"), result())

    results.forget()

    assert results.left([part("x")]) == [part("x")]
    assert Results(tmp_path, tree="a").left([part("x")]) == [part("x")]


def test_summary_counts_each_suite(tmp_path: Path) -> None:
    """Passed, failed and left parts are told apart, and the seconds are summed."""
    parts = [part("a"), part("b"), part("c"), part("d", suite="soak")]
    results = Results(tmp_path, tree="a")
    results.keep(parts[0], result(seconds=40))
    results.keep(parts[1], result(has_passed=False, seconds=2))

    told = results.summary(parts).splitlines()

    assert [line.split() for line in told[:3]] == [
        ["suite", "parts", "passed", "failed", "left", "seconds"],
        ["soak", "1", "0", "0", "1", "0"],
        ["fuzz", "3", "1", "1", "1", "42"],
    ]
    assert told[3:] == ["LEFT fuzz.c", "LEFT soak.d", "FAILED fuzz.b: 1 passed"]


@pytest.mark.parametrize(
    ("code", "has_passed", "told"),
    [
        ("print('3 passed in 1 s'); print('bye')", True, "3 passed in 1 s"),
        ("print('== 1 failed =='); raise SystemExit(1)", False, "1 failed ("),
        ("", True, "it said nothing"),
    ],
)
def test_part_is_told_in_a_line(tmp_path: Path, code: str, has_passed: bool, told: str) -> None:
    """The exit status decides; the line that counts is kept, with the log of what failed."""
    found = run_part(part("x", code), log=tmp_path / "x.log", environment=os.environ)

    assert found.has_passed is has_passed
    assert found.told.startswith(told)
    assert (tmp_path / "x.log").exists()


def test_part_that_hangs_is_stopped(tmp_path: Path) -> None:
    """It failed, and says why."""
    hangs = part("x", "import time; time.sleep(600)")

    found = run_part(hangs, log=tmp_path / "log", environment=os.environ, seconds_max=0.1)

    assert (found.has_passed, found.told.split(" (")[0]) == (False, "it was stopped after 0 s")


def test_interrupted_part_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran before is kept, what was interrupted is run again."""
    parts = [part("a"), part("b")]
    results = Results(tmp_path, tree="a")
    real = run.run_part

    def interrupted(one: Part, **options: object) -> Result:
        if one.name == "b":
            raise KeyboardInterrupt
        return real(one, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "run_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_parts(parts, results)

    assert Results(tmp_path, tree="a").left(parts) == [parts[1]]


def test_status_tells_whether_all_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 while anything failed or is left, 0 when everything has passed; `--only` is a choice."""
    parts = [part("good"), part("bad", "raise SystemExit(1)", suite="soak")]
    monkeypatch.setattr(long_run, "FOLDER", tmp_path)
    monkeypatch.setattr(long_run, "all_parts", lambda: parts)

    statuses = [long_run.main(words) for words in ([], ["--only", "fuzz"], ["--summary"])]

    assert statuses == [1, 0, 1]
    assert capsys.readouterr().out.count("[1/") == 1


def test_missing_store_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the programs, what needs a store fails with the packages to install."""
    monkeypatch.setenv("PATH", "/nowhere")

    named = "faults and fleet need the Debian packages ceph-common ceph-mon ceph-osd curl radosgw"
    with pytest.raises(NoStore, match=named):
        require_store({})


def test_tree_is_known_by_its_changes(tmp_path: Path) -> None:
    """A commit has a name; what is not committed changes it, and committed again it is back."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "x")
    clean = state_of(tmp_path)
    (tmp_path / "file").write_text("2")
    changed = state_of(tmp_path)
    git("checkout", "file")

    assert changed.startswith(f"{clean}-")
    assert state_of(tmp_path) == clean
