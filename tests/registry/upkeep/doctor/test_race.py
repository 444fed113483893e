# SPDX-License-Identifier: Apache-2.0

import pytest

from tabard_registry.upkeep.doctor.race import run_races
from tabard_registry.upkeep.doctor.trial_objects import TrialObjects
from tests.registry.fakes import MemoryStore
from tests.registry.upkeep.doctor.broken_stores import (
    LosingWinner,
    TwoWinners,
    Unconditional,
    Undecided,
)
from tests.registry.upkeep.doctor.examinations import examined


def test_sequential_checks_do_not_see_the_race() -> None:
    """The store that elects several winners passes everything that asks one after the other."""
    diagnosis = examined(TwoWinners())

    assert [check.name for check in diagnosis.checks if check.verdict != "ok"] == ["racing create"]


@pytest.mark.parametrize(
    ("store", "verdict", "told"),
    [
        (MemoryStore, "ok", "2 of 2 races of 16 had one winner"),
        (TwoWinners, "fail", "16 creates were told that they had won"),
        (Unconditional, "fail", "16 creates were told that they had won"),
        (LosingWinner, "fail", "does not hold what the winner wrote"),
        (Undecided, "fail", "none of 2 races of 16 was decided"),
    ],
)
def test_races_are_judged(store: type[MemoryStore], verdict: str, told: str) -> None:
    """One winner whose bytes stay; whatever else is told with its remedy."""
    check = run_races(TrialObjects(store()), rounds=2)

    assert (check.name, check.verdict, bool(check.remedy)) == (
        "racing create",
        verdict,
        verdict != "ok",
    )
    assert told in check.detail
