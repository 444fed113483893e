# SPDX-License-Identifier: Apache-2.0
"""The log keeps its promises in every seeded history, and a seed is a history to the bit."""

import pytest

from tests.root import run_python
from tests.simulation.seeded_run import run_chunk
from tests.tally import Tally

HISTORIES_FAST = 80


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Run histories, each of which is checked; return what was in them."""
    return run_chunk(range(HISTORIES_FAST))


def test_no_promise_is_broken(tally: Tally) -> None:
    """Nothing acknowledged is lost, nothing is doubled, there are no holes and no forks."""
    assert tally.failures == []
    assert tally.counts["histories"] == HISTORIES_FAST


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
    replay = ("-m", "tests.simulation", "--seed", "7", "--trace")

    outputs = {run_python(*replay, hash_seed=hash_seed) for hash_seed in ("1", "2")}

    assert len(outputs) == 1
    assert "bucket" in outputs.pop()
