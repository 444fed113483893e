# SPDX-License-Identifier: Apache-2.0
"""Runs the long suites in parts, and goes on where it stopped. Exit status 1: something is left."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.long.parts import SUITES, all_parts
from tests.long.results import Results, state_of
from tests.long.run import NoStore, run_parts
from tests.root import ROOT

FOLDER = ROOT / ".long"


def main(arguments: list[str] | None = None) -> int:
    """Run what is left to run, and tell what came of everything."""
    options = _parser().parse_args(arguments)
    parts = [part for part in all_parts() if part.suite in options.only]
    results = Results(FOLDER, tree=state_of(ROOT))
    if options.again:
        results.forget()
    # Whoever stops it is told how far it came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_parts([] if options.summary else results.left(parts), results)
    except NoStore as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; `make long` goes on from here", file=sys.stderr)
    print(results.summary(parts))
    return 1 if results.left(parts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make long", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SUITES, default=SUITES, metavar="SUITE")
    parser.add_argument("--again", action="store_true", help="forget what this tree has passed")
    parser.add_argument("--summary", action="store_true", help="run nothing, tell what is known")
    return parser


if __name__ == "__main__":
    sys.exit(main())
