# SPDX-License-Identifier: Apache-2.0
"""Runs many histories, or replays one. Exit status 1 means that a promise was broken."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.mutants import installed
from tests.seeded_runs import add_options, run_seeds
from tests.simulation.mutants import MUTANTS
from tests.simulation.process import World
from tests.simulation.seeded_run import HistoryFailed, run_chunk, run_history

HISTORIES = 10_000
CHUNK = 100


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run, and tell what happened."""
    options = _parser().parse_args(arguments)
    with installed(MUTANTS[options.mutant] if options.mutant else None):
        if options.seed is not None:
            return _replay(options.seed, is_traced=options.trace)
        seeds = range(options.first, options.first + options.count)
        # Forked, so that a mutant is in every process.
        fork = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(options.jobs, mp_context=fork)
        return run_seeds(seeds, run_chunk, chunk=CHUNK, what="histories", pool=pool)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    add_options(parser, what="histories", count=HISTORIES)
    parser.add_argument("--trace", action="store_true", help="print every event of the one seed")
    parser.add_argument("--mutant", choices=MUTANTS, help="take this rule out first")
    return parser


def _replay(seed: int, *, is_traced: bool) -> int:
    try:
        world = run_history(seed)
    except HistoryFailed as error:
        _tell(error.world, is_traced=is_traced)
        print(error, file=sys.stderr)
        return 1
    _tell(world, is_traced=is_traced)
    return 0


def _tell(world: World, *, is_traced: bool) -> None:
    for event in world.events if is_traced else ():
        print(*event)
    print(f"{len(world.events)} events, bucket {world.bucket.fingerprint()}")


if __name__ == "__main__":
    sys.exit(main())
