# SPDX-License-Identifier: Apache-2.0
"""Checks many bent files, or one again. Exit status 1 means that the checker broke a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.case import make_case
from tests.fuzz.judge import CaseFailed, judge
from tests.fuzz.memory import bounded
from tests.fuzz.run import run_chunk
from tests.seeded_runs import add_options, run_seeds

CASES = 100_000
CHUNK = 500


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run, and tell what happened."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _replay(options.seed, keep=options.keep)
    seeds = range(options.first, options.first + options.count)
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(options.jobs, mp_context=spawn, initializer=bounded)
    return run_seeds(seeds, run_chunk, chunk=CHUNK, what="files", pool=pool)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    add_options(parser, what="cases", count=CASES)
    parser.add_argument("--keep", type=Path, help="leave the file of the one seed in this folder")
    return parser


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
