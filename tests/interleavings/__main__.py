# SPDX-License-Identifier: Apache-2.0
"""Plays one long script. Exit status 1 means that a promise was broken."""

from __future__ import annotations

import argparse
import math
import sys

from diffusers.utils.logging import disable_progress_bar as hush_diffusers
from transformers.utils.logging import disable_progress_bar as hush_transformers

from tests.interleavings.checks import check_long_run
from tests.interleavings.mutants import MUTANTS
from tests.interleavings.run import RunFailed, run_script
from tests.interleavings.script import GROUNDS
from tests.mutants import installed

ACTIONS_LONG = 2_500


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run, and tell what happened."""
    options = _parser().parse_args(arguments)
    trace = print if options.trace else lambda _: None
    hush_diffusers()
    hush_transformers()
    with installed(MUTANTS[options.mutant] if options.mutant else None):
        try:
            tally = run_script(
                options.seed,
                actions=options.actions,
                family=options.base,
                seconds_max=options.seconds,
                trace=trace,
            )
        except RunFailed as error:
            print(error.tally)
            print(error, file=sys.stderr)
            return 1
    print(tally)
    if options.actions >= ACTIONS_LONG and (complaints := list(check_long_run(tally))):
        print(*complaints, sep="\n", file=sys.stderr)
        return 1
    done = tally.counts["actions"]
    print(f"{done} actions of seed {options.seed}, every promise kept, {tally.seconds:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.interleavings", description=__doc__)
    parser.add_argument("--actions", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="which script")
    parser.add_argument("--base", choices=GROUNDS, default="sd1", help="family of the base")
    parser.add_argument("--seconds", type=float, default=math.inf, help="at most so long")
    parser.add_argument("--trace", action="store_true", help="print every action as it begins")
    parser.add_argument("--mutant", choices=MUTANTS, help="take this rule out first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
