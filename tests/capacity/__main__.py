# SPDX-License-Identifier: Apache-2.0
"""Lives through all days and writes `docs/capacity.md` with its pictures."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.capacity.inputs import FILE, Inputs
from tests.capacity.page import Answers, write_page
from tests.capacity.scenarios import (
    balance_plans,
    hit_plans,
    live,
    needed,
    ring_size_plans,
    wave_plans,
)
from tests.root import ROOT


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, live, write."""
    options = _parser().parse_args(arguments)
    inputs = Inputs.read(options.inputs)
    begun_at = time.monotonic()
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(options.jobs, mp_context=fork) as pool:
        plans = {
            name: make(inputs=inputs, scale=options.scale, seed=options.seed)
            for name, make in (
                ("hits", hit_plans),
                ("waves", wave_plans),
                ("balances", balance_plans),
                ("rings", ring_size_plans),
            )
        }
        found = {}
        for name, some in plans.items():
            kept = [plan for plan in some if plan.servers <= options.servers_max]
            found[name] = live(kept, inputs=inputs, pool=pool)
            print(f"{name}: {len(kept)} days, {time.monotonic() - begun_at:.0f} s", flush=True)
        gpus = list(needed(inputs=inputs, scale=options.scale, seed=options.seed, pool=pool))
    answers = Answers(**found, gpus=gpus)
    page = write_page(
        answers, inputs=inputs, folder=options.out, seed=options.seed, scale=options.scale
    )
    print(f"{page}: {time.monotonic() - begun_at:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make capacity", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the days' requests")
    parser.add_argument("--servers-max", type=int, default=1_000, help="leave larger fleets out")
    parser.add_argument("--jobs", type=int, default=2, help="days at once")
    parser.add_argument("--inputs", type=Path, default=FILE, help="seconds of your machines")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the page is written")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
