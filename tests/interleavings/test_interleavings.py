# SPDX-License-Identifier: Apache-2.0
"""Whatever happens between them, requests get the images of the digests that they are told."""

import pytest

from tests.interleavings.run import run_script
from tests.tally import Tally

SEED = 1
ACTIONS_FAST = 120
ACTIONS_SOAK = 10_000
GROWTH_MAX = 0.05


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Play a script, of which every answer is reviewed; return what was in it."""
    return run_script(SEED, actions=ACTIONS_FAST)


def test_every_image_is_that_of_its_digests(tally: Tally) -> None:
    """No pixel differs from the row alone, no pin moves, nothing is left when all is quiet."""
    assert tally.counts["actions"] == ACTIONS_FAST
    assert tally.counts["images compared"] > ACTIONS_FAST / 3


@pytest.mark.soak
def test_every_image_is_that_of_its_digests_for_long() -> None:
    """The same in ten thousand actions, at the end of which memory is what it was in the middle."""
    tally = run_script(SEED, actions=ACTIONS_SOAK)

    assert [what for what in EXPECTED if not tally.counts[what]] == []
    middle, end = tally.memory_bytes[len(tally.memory_bytes) // 2], tally.memory_bytes[-1]
    assert end <= middle * (1 + GROWTH_MAX)


EXPECTED = (
    "act: publish",
    "act: promote",
    "act: roll_back",
    "act: quarantine",
    "act: lift",
    "act: evict_host",
    "act: evict_slots",
    "act: warm",
    "deterministic images",
    "left by their caller",
    "failed: ROW_NOT_FINITE",
    "failed: RELEASE_QUARANTINED",
    "failed: DEADLINE_EXCEEDED",
)
