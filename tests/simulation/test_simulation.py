# SPDX-License-Identifier: Apache-2.0
"""The log keeps its promises in every seeded history, and a seed is a history to the bit."""

import os
import subprocess
import sys

import pytest

from tests.root import ROOT
from tests.simulation.history import run_history
from tests.simulation.tally import Tally

HISTORIES_FAST = 80
HISTORIES_SOAK = 10_000


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Run histories, each of which is checked; return what was in them."""
    tally = Tally()
    for seed in range(HISTORIES_FAST):
        tally.add(run_history(seed))
    return tally


def test_no_promise_is_broken(tally: Tally) -> None:
    """Nothing acknowledged is lost, nothing is doubled, there are no holes and no forks."""
    assert tally.counts["histories"] == HISTORIES_FAST


@pytest.mark.soak
def test_no_promise_is_broken_for_long() -> None:
    """The same in ten thousand histories; `make simulate` runs these with a summary."""
    for seed in range(HISTORIES_SOAK):
        run_history(seed)


def test_histories_have_faults_in_them(tally: Tally) -> None:
    """The simulation is not calm by mistake: every fault and answer occurs."""
    assert [what for what in EXPECTED if not tally.counts[what]] == []


EXPECTED = (
    "create: lost",
    "create: lost answer",
    "create: late",
    "create: applied late",
    "create: twice",
    "create: repeated",
    "create: mistaken",
    "create: refused",
    "create: crash",
    "put: late",
    "read: silence",
    "read: crash",
    "told: acknowledged",
    "told: COMMIT_UNKNOWN",
    "told: EXPECT_MISMATCH",
    "crash",
)


def test_seed_replays_to_the_bit() -> None:
    """One seed gives the same events and the same bucket in another process, with other hashes."""
    outputs = {_replay(seed=7, hash_seed=hash_seed) for hash_seed in ("1", "2")}

    assert len(outputs) == 1
    assert "bucket" in outputs.pop()


def _replay(*, seed: int, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--trace"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
