# SPDX-License-Identifier: Apache-2.0
"""Players who find nothing prove nothing: with a rule taken out, they must see the damage."""

import pytest

from tests.interleavings.mutants import MUTANTS
from tests.interleavings.run import RunFailed, run_script
from tests.mutants import Mutant, installed

ACTIONS = 400
SEEDS = range(1, 6)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(mutant: Mutant) -> None:
    """Within a few scripts, the mistake does the damage that it is known for."""
    complaints: list[str] = []
    with installed(mutant):
        for seed in SEEDS:
            try:
                run_script(seed, actions=ACTIONS)
            except RunFailed as error:
                complaints += error.complaints
            if any(mutant.damage in complaint for complaint in complaints):
                return
    pytest.fail(f"{len(SEEDS)} scripts without that complaint: {mutant.says}; {complaints[:3]}")
