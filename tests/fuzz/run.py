# SPDX-License-Identifier: Apache-2.0
"""A run over some seeds in this process: cases in, a tally out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.case import make_case
from tests.fuzz.judge import CaseFailed, judge
from tests.fuzz.memory import peak_bytes
from tests.tally import Tally


def run_chunk(seeds: Iterable[int]) -> Tally:
    """Check the files of some seeds."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tabard-fuzz-") as folder:
        for seed in seeds:
            case = make_case(seed)
            try:
                outcome = judge(case, folder=Path(folder))
            except CaseFailed as error:
                tally.failures.append(f"--seed {seed}: {error}")
                continue
            tally.count("accepted" if outcome.accepted else f"refused: {outcome.reason}")
            tally.counts.update(f"change: {name}" for name in case.name.split(" > "))
            if outcome.is_strict:
                tally.count(f"refused though the reference reads it: {outcome.reason}")
    tally.memory_bytes.append(peak_bytes())
    return tally
