# SPDX-License-Identifier: Apache-2.0
"""Many seeds over some processes: what a chunk of them comes to, summed up and told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor

from tests.tally import Tally

FAILURES_NAMED_MAX = 5


def add_options(parser: argparse.ArgumentParser, *, what: str, count: int) -> None:
    """Add which seeds to run, and in how many processes."""
    parser.add_argument(f"--{what}", type=int, default=count, dest="count", help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run only this seed")


def run_seeds(
    seeds: range, run_chunk: Callable[[range], Tally], *, chunk: int, what: str, pool: Executor
) -> int:
    """Run the chunks in the processes of a pool; tell what happened, and return the exit status."""
    tally = Tally()
    chunks = [seeds[first : first + chunk] for first in range(0, len(seeds), chunk)]
    with pool:
        for found in pool.map(run_chunk, chunks):
            for told in found.failures[: max(0, FAILURES_NAMED_MAX - len(tally.failures))]:
                print(told, file=sys.stderr, flush=True)
            tally.add(found)
    rate = len(seeds) / tally.seconds
    print(tally)
    print(f"{len(seeds)} {what}, {len(tally.failures)} promises broken, {rate:.0f} a second")
    return 1 if tally.failures else 0
