# SPDX-License-Identifier: Apache-2.0
"""An hour in which callers are careless and the store fails. Exit status 1: something broke."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from tests.soak.stage import play
from tests.soak.verdict import faults, figures


def main() -> int:
    """Play, tell the figures, then the faults."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--slow-readers", type=int, default=20)
    parser.add_argument("--p99-seconds-max", type=float, default=15.0)
    options = parser.parse_args()
    disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="tabard-soak-") as folder:
        show = play(Path(folder), seconds=options.minutes * 60, slow_readers=options.slow_readers)
    print(*figures(show), sep="\n", flush=True)
    found = list(faults(show, p99_seconds_max=options.p99_seconds_max))
    print(*(f"FAULT: {one}" for one in found), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
