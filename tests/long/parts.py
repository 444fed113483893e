# SPDX-License-Identifier: Apache-2.0
"""The long suites in parts of minutes: what each part is called, and the command that runs it.

Marked tests are a part a file; seeds are parts of a range each.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.root import ROOT

SUITES = ("oracle", "faults", "fleet", "soak", "interleave", "fuzz", "simulate", "capacity", "ray")
SEEDED: Mapping[str, tuple[str, str, int, int]] = {
    "fuzz": ("tests.fuzz", "--cases", 100_000, 25_000),
    "simulate": ("tests.simulation", "--histories", 10_000, 2_500),
}
"""The module that runs seeds, its word for how many, how many in all, and in a part."""

SCRIPTS, SCRIPT_ACTIONS = 2, 5_000

_SMALL = ("--scale", 0.05, "--servers-max", 100, "--out", ".long/capacity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a suite.

    Attributes:
        suite: The word of the Makefile that runs the whole suite.
        name: What it runs of that, as a file name can say it.
        command: The program, run in the root of the repository.
    """

    suite: str
    name: str
    command: tuple[str, ...]

    @property
    def key(self) -> str:
        """What it is called among all parts."""
        return f"{self.suite}.{self.name}"


def all_parts(root: Path = ROOT) -> list[Part]:
    """Give every part, the suites in their order."""
    return [
        *_marked("oracle", "-n", "2", root=root),
        # One at a time: they race on a store, and kill its daemons.
        *_marked("faults", root=root),
        # One at a time: each has several servers.
        *_marked("fleet", root=root),
        *_marked("soak", root=root),
        Part(suite="soak", name="overload", command=_python("tests.soak.overload")),
        Part(suite="soak", name="hour", command=_python("tests.soak")),
        *_scripts(),
        *(part for suite in SEEDED for part in _seeded(suite)),
        Part(suite="capacity", name="small", command=_python("tests.capacity", *_SMALL)),
        # In an environment of its own, which make looks after.
        Part(suite="ray", name="application", command=("make", "ray")),
    ]


def _marked(mark: str, *options: str, root: Path) -> Iterator[Part]:
    for file in sorted((root / "tests").rglob("test_*.py")):
        if re.search(rf"\bpytest\.mark\.{mark}\b", file.read_text(encoding="utf-8")):
            path = file.relative_to(root)
            name = ".".join(path.with_suffix("").parts[1:])
            yield Part(suite=mark, name=name, command=_python("pytest", "-m", mark, *options, path))


def _scripts() -> Iterator[Part]:
    for seed in range(1, SCRIPTS + 1):
        options = ("--seed", seed, "--actions", SCRIPT_ACTIONS)
        command = _python("tests.interleavings", *options)
        yield Part(suite="interleave", name=f"script-{seed}", command=command)


def _seeded(suite: str) -> Iterator[Part]:
    module, count, total, step = SEEDED[suite]
    for first in range(0, total, step):
        command = _python(module, "--first", first, count, step)
        yield Part(suite=suite, name=f"seeds-{first}-{first + step - 1}", command=command)


def _python(module: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *map(str, arguments))
