# SPDX-License-Identifier: Apache-2.0
"""Two ways take turns until both were seen; then the sooner one goes on."""

import pytest

from tabard_server.engine.compiled.trial import TRIES, Trial


@pytest.mark.parametrize(("compiled", "is_taken"), [(0.9, True), (1.1, False)])
def test_sooner_way_is_taken(compiled: float, is_taken: bool) -> None:
    """The least of each counts, for each sample; what comes later changes nothing."""
    trial, ways = Trial(), []

    while not trial.is_over:
        ways.append(trial.takes_library)
        seconds = 4 * (compiled if trial.takes_library else 1.0)
        slow = 100.0 if len(ways) <= 2 else 1.0
        trial.note(slow * seconds, samples=4, is_compiled=trial.takes_library)

    assert ways == [True, False] * TRIES
    assert trial.takes_library is is_taken
    trial.note(0.0, samples=1, is_compiled=not is_taken)
    assert trial.takes_library is is_taken
