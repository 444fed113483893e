# SPDX-License-Identifier: Apache-2.0
"""A run over some seeds in this process: cases in, a tally out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.case import make_case
from tests.fuzz.judge import CaseFailed, judge
from tests.fuzz.memory import peak_bytes
from tests.fuzz.tally import Tally


def run_chunk(seeds: Iterable[int]) -> Tally:
    """Check the files of some seeds."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tabard-fuzz-") as folder:
        for seed in seeds:
            case = make_case(seed)
            try:
                tally.count(judge(case, folder=Path(folder)), name=case.name)
            except CaseFailed as error:
                tally.failures.append(f"--seed {seed}: {error}")
    tally.peak_bytes = peak_bytes()
    return tally
