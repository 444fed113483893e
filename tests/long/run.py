# SPDX-License-Identifier: Apache-2.0
"""Runs parts one after the other, each in a process of its own within bounds, and keeps results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.ceph import started_ceph
from tests.long.parts import Part
from tests.long.results import Result, Results
from tests.root import ROOT

PART_SECONDS_MAX = 3_600
"""A part takes minutes; one that takes so long hangs."""

PACKAGES = {
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "radosgw": "radosgw",
    "curl": "curl",
}
"""Programs of a real store, and the Debian packages that have them."""
ON_A_STORE = ("faults", "fleet")
"""Suites that run on a real store: one kills it, one is cut off from it."""

_TELLING = re.compile(r"\b(passed|failed|error|broken|kept)\b")


class NoStore(Exception):
    """There is no S3 store to run a suite on, and none can be started."""


def run_parts(parts: Sequence[Part], results: Results) -> None:
    """Run parts and keep what comes of each; a part that is interrupted never was.

    Raises:
        NoStore: Some need a store, and there is none for them.
    """
    if any(part.suite in ON_A_STORE for part in parts):
        require_store(os.environ)
    for number, part in enumerate(parts, start=1):
        print(f"[{number}/{len(parts)}] {part.key}", flush=True)
        with _environment_of(part) as environment:
            result = run_part(part, log=results.log_of(part), environment=environment)
        results.keep(part, result)
        word = "passed" if result.has_passed else "FAILED"
        print(f"    {word} after {result.seconds:.0f} s: {result.told}", flush=True)


def run_part(
    part: Part, *, log: Path, environment: Mapping[str, str], seconds_max: float = PART_SECONDS_MAX
) -> Result:
    """Run one part, with all that it prints in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    begun_at = time.monotonic()
    with log.open("wb") as sink:
        try:
            code = subprocess.run(
                part.command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=seconds_max,
                check=False,
            ).returncode
            told = _told(log)
        except subprocess.TimeoutExpired:
            code, told = 1, f"it was stopped after {seconds_max:.0f} s"
    seconds = time.monotonic() - begun_at
    return Result(has_passed=code == 0, seconds=seconds, told=f"{told} ({log})" if code else told)


def require_store(environment: Mapping[str, str]) -> None:
    """Refuse to run without a real store in silence.

    Raises:
        NoStore: A program is missing that a store needs.
    """
    missing = sorted({package for word, package in PACKAGES.items() if not shutil.which(word)})
    # Kills need a store of their own, whatever store is named for the races.
    if missing:
        named = "" if environment.get("TABARD_TEST_S3") else ", and TABARD_TEST_S3 names no store"
        raise NoStore(
            f"{' and '.join(ON_A_STORE)} need the Debian packages {' '.join(missing)}{named}. "
            "Install them, or leave both out: make long ARGS='--only oracle soak interleave fuzz'"
        )


@contextmanager
def _environment_of(part: Part) -> Iterator[Mapping[str, str]]:
    if part.suite not in ON_A_STORE or os.environ.get("TABARD_TEST_S3"):
        yield os.environ
        return
    with started_ceph() as ceph:
        yield {**os.environ, **ceph.environment}


def _told(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line.strip(" =") for line in lines if _TELLING.search(line)]
    return telling[-1] if telling else "it said nothing"
