# SPDX-License-Identifier: Apache-2.0
from typing import Any

from hypothesis import given, settings

from tests.registry.checkpoint.kept_states import kept
from tests.registry.random_logs import documents, folded, gating, judgements, places, publication
from tests.simulation.promises.plain_state import to_plain


@settings(max_examples=60)
@given(documents(places.map(publication) | judgements | gating))
def test_judgement_goes_through_a_checkpoint(log: list[list[Any]]) -> None:
    """Evidence, reviews, votes, grids and gates are what they were."""
    state, _ = folded(log)

    assert to_plain(kept(state)[1]) == to_plain(state)
