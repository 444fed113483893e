# SPDX-License-Identifier: Apache-2.0
"""Whatever happens between them, requests get the images of the digests that they are told."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.interleavings.checks import EXPECTED, check_long_run
from tests.interleavings.run import run_script
from tests.tally import Tally

SEED = 1
ACTIONS = 60


@pytest.fixture(scope="module", params=["sd1", pytest.param("sd3", marks=pytest.mark.oracle)])
def tally(request: pytest.FixtureRequest) -> Tally:
    """Play a script, of which every answer is reviewed; return what was in it."""
    return run_script(SEED, actions=ACTIONS, family=request.param)


def test_every_image_is_that_of_its_digests(tally: Tally) -> None:
    """No pixel differs from the row alone, no pin moves, nothing is left when all is quiet."""
    assert tally.counts["actions"] == ACTIONS
    assert tally.counts["images compared"] > ACTIONS / 3


def test_poor_long_run_is_found_out() -> None:
    """A long run in which something never happened, or that grew, has proved less than it says."""
    whole = Tally(counts=Counter(EXPECTED), memory_bytes=[100, 104, 108])
    grown = replace(whole, memory_bytes=[100, 100, 106])

    assert list(check_long_run(whole)) == []
    assert [told.split()[:2] for told in check_long_run(grown)] == [["memory", "grew"]]
    assert [told[-14:] for told in check_long_run(Tally())] == ["never happened"]
