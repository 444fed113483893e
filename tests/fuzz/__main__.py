# SPDX-License-Identifier: Apache-2.0
"""Checks many bent files, or one again. Exit status 1 means that the checker broke a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.case import make_case
from tests.fuzz.judge import CaseFailed, judge
from tests.fuzz.memory import bounded
from tests.fuzz.run import run_chunk
from tests.fuzz.tally import Tally

CASES = 100_000
CHUNK = 500
FAILURES_NAMED_MAX = 5
PROGRESS = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run, and tell what happened."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _replay(options.seed, keep=options.keep)
    return _run_many(range(options.first, options.first + options.cases), options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run only this seed")
    parser.add_argument("--keep", type=Path, help="leave the file of the one seed in this folder")
    return parser


def _run_many(seeds: range, jobs: int) -> int:
    tally, started = Tally(), time.monotonic()
    for found in _chunks(seeds, jobs):
        for told in found.failures[: max(0, FAILURES_NAMED_MAX - len(tally.failures))]:
            print(told, file=sys.stderr)
        tally.add(found)
        if (done := sum(tally.outcomes.values()) + len(tally.failures)) % PROGRESS == 0:
            print(f"{done} files", file=sys.stderr, flush=True)
    rate = len(seeds) / (time.monotonic() - started)
    print(f"{len(seeds)} files, {len(tally.failures)} promises broken, {rate:.0f} a second")
    print(tally)
    return 1 if tally.failures else 0


def _chunks(seeds: range, jobs: int) -> Iterator[Tally]:
    chunks = [seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=bounded) as pool:
        yield from pool.map(run_chunk, chunks)


def _replay(seed: int, *, keep: Path | None) -> int:
    case = make_case(seed)
    with tempfile.TemporaryDirectory(prefix="tabard-fuzz-") as folder:
        where = keep or Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        try:
            outcome = judge(case, folder=where)
        except CaseFailed as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{case.name}: {'accepted' if outcome.accepted else outcome.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
