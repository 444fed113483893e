# SPDX-License-Identifier: Apache-2.0
"""Runs many histories, or replays one. Exit status 1 means that a promise was broken."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.history import HistoryFailed, run_history
from tests.simulation.mutants import MUTANTS, installed
from tests.simulation.process import World
from tests.simulation.tally import Tally

CHUNK = 100
FAILURES_NAMED_MAX = 5


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run, and tell what happened."""
    options = _parser().parse_args(arguments)
    with installed(MUTANTS[options.mutant] if options.mutant else None):
        if options.seed is not None:
            return _replay(options.seed, is_traced=options.trace)
        return _run_many(range(options.first, options.first + options.histories), options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run only this seed")
    parser.add_argument("--trace", action="store_true", help="print every event of the one seed")
    parser.add_argument("--mutant", choices=MUTANTS, help="take this rule out first")
    return parser


def _run_many(seeds: range, jobs: int) -> int:
    tally, started = Tally(), time.monotonic()
    failures: list[str] = []
    for found, failed in _chunks(seeds, jobs):
        tally.counts.update(found.counts)
        for told in failed[: max(0, FAILURES_NAMED_MAX - len(failures))]:
            print(told, file=sys.stderr)
        failures.extend(failed)
    rate = len(seeds) / (time.monotonic() - started)
    print(f"{len(seeds)} histories, {len(failures)} failed, {rate:.0f} a second")
    print(tally)
    return 1 if failures else 0


def _chunks(seeds: range, jobs: int) -> Iterator[tuple[Tally, list[str]]]:
    chunks = [seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK)]
    if jobs == 1:
        yield from map(_run_chunk, chunks)
        return
    # Forked, so that a mutant is in every process.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_run_chunk, chunks)


def _run_chunk(seeds: range) -> tuple[Tally, list[str]]:
    tally = Tally()
    failures: list[str] = []
    for seed in seeds:
        try:
            tally.add(run_history(seed))
        except HistoryFailed as error:
            tally.add(error.world)
            failures.append(str(error))
    return tally, failures


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
