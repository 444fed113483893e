# SPDX-License-Identifier: Apache-2.0
"""Canaries in a checkpoint."""

from typing import Any

from hypothesis import given, settings

from tests.registry.canary_acts import complaint, ended, observed, pair, start, step
from tests.registry.checkpoint.kept_states import kept
from tests.registry.fakes import NAME
from tests.registry.random_logs import (
    CHANNELS,
    act,
    canary_starts,
    canary_steps,
    documents,
    folded,
    places,
    publication,
    st,
)
from tests.registry.state import short_logs
from tests.simulation.promises.plain_state import to_plain

LOG = (
    short_logs.publication("1.0.0"),
    short_logs.publication("1.1.0"),
    short_logs.act("promote", "1.0.0"),
    start(),
    observed(pair("a", -0.5), pair("b", None, candidate_is_broken=True), complaint("c")),
    step("share", share=0.05),
)


def test_canary_goes_through_a_checkpoint() -> None:
    """Open, held and ended: what was counted, the share, and the figures."""
    for log in (LOG, (*LOG, ended("inconclusive")), (*LOG, ended("rolled_back"))):
        state, _ = short_logs.run(*log)
        read = kept(state)[1]

        assert list(read.adapters[NAME].canaries) == list(state.adapters[NAME].canaries)
        assert read.canaried == state.canaried


@settings(max_examples=60)
@given(
    documents(
        places.map(publication)
        | st.builds(act, st.just("promote"), places, st.sampled_from(CHANNELS))
        | canary_starts
        | canary_steps
    )
)
def test_random_canaries_go_through_a_checkpoint(log: list[list[Any]]) -> None:
    """A state that was read goes on as the one that was folded."""
    state, _ = folded(log)

    assert to_plain(kept(state)[1]) == to_plain(state)
