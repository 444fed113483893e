# SPDX-License-Identifier: Apache-2.0
"""A simulation that finds nothing proves nothing: with a rule taken out, it must see the damage."""

import pytest

from tests.mutants import Mutant, installed
from tests.simulation.__main__ import main
from tests.simulation.mutants import MUTANTS
from tests.simulation.seeded_run import HistoryFailed, run_history

SEEDS_MAX = 300


def first_failure(mutant: Mutant, *, telling: str) -> HistoryFailed:
    """Run seeds until the simulation complains in these words."""
    with installed(mutant):
        for seed in range(SEEDS_MAX):
            try:
                run_history(seed)
            except HistoryFailed as error:
                if telling in str(error):
                    return error
    pytest.fail(f"{SEEDS_MAX} histories without a complaint: {mutant.says}")


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(mutant: Mutant) -> None:
    """Within a modest number of seeds, the mistake does the damage that it is known for."""
    failure = first_failure(mutant, telling=mutant.damage)

    assert f"--seed {failure.seed}" in str(failure)
    run_history(failure.seed)  # the same seed, without the mistake


def test_failing_seed_can_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that the failure names fails again, in the same way."""
    name, mutant = next(iter(MUTANTS.items()))
    failure = first_failure(mutant, telling="")

    status = main(["--mutant", name, "--seed", str(failure.seed)])

    assert status == 1
    assert failure.complaints[0] in capsys.readouterr().err
