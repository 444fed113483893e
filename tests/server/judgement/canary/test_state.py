# SPDX-License-Identifier: Apache-2.0
"""What a canary has seen."""

import json

import pytest

from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import (
    CanaryState,
    Tally,
    count_complaint,
    count_pair,
    count_vote,
)
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

POLICY = CanaryPolicy()


def state_of(*pairs: Pair, policy: CanaryPolicy = POLICY) -> CanaryState:
    """Fold pairs."""
    state = CanaryState()
    for pair in pairs:
        state = count_pair(state, pair, policy=policy)
    return state


def test_prompt_is_counted_once() -> None:
    """However often twelve prompts are drawn, they are twelve units."""
    pairs = [Pair(unit=f"{number % 12}", difference=-0.8) for number in range(200)]

    state = state_of(*pairs)

    assert state.soft == state.judged == Tally(losses=12, units=12)


@pytest.mark.parametrize(
    ("difference", "soft"), [(-0.1, (0, 0)), (-0.11, (1, 1)), (0.11, (0, 1)), (0.05, (0, 0))]
)
def test_only_discordant_pairs_are_bet_on(difference: float, soft: tuple[int, int]) -> None:
    """A difference within the bound is a tie: it counts as judged and not as a win."""
    state = state_of(Pair(unit="a", difference=difference))

    assert state.soft == Tally(losses=soft[0], units=soft[1])
    assert state.judged == Tally(losses=soft[0], units=1)


def test_broken_side_is_a_hard_loss() -> None:
    """It counts where exactly one side is broken, and against the side that is."""
    state = state_of(
        Pair(unit="a", difference=None, candidate_is_broken=True),
        Pair(unit="b", difference=0.3, stable_is_broken=True),
    )

    assert state.hard == Tally(losses=1, units=2)
    assert state.judged == Tally(losses=1, units=2)


def test_two_broken_sides_are_no_health() -> None:
    """A prompt that breaks both is not judged, though it is not fresh any more."""
    both = Pair(unit="a", difference=None, candidate_is_broken=True, stable_is_broken=True)

    state = state_of(both, Pair(unit="a", difference=0.0))

    assert state.judged == Tally()
    assert state.pair_units == ("a",)


def test_five_worst_pairs_are_kept() -> None:
    """Broken ones first, then the lowest differences."""
    sound = [Pair(unit=f"{number}", difference=-0.1 * number) for number in range(8)]
    broken = Pair(unit="broken", difference=0.2, candidate_is_broken=True)

    state = state_of(*sound, broken)

    assert [pair.unit for pair in state.worst] == ["broken", "7", "6", "5", "4"]


def test_nothing_grows_without_bound() -> None:
    """Beyond their bounds, units of every kind are passed over."""
    policy = CanaryPolicy(units_max=3, complaints_max=2)
    state = state_of(*(Pair(unit=f"{n}", difference=0.0) for n in range(9)), policy=policy)
    for number in range(9):
        vote = Vote(unit=f"{number}", is_loss=True)
        complaint = Complaint(unit=f"{number}", is_loss=True, share=0.1)
        state = count_vote(state, vote, policy=policy)
        state = count_complaint(state, complaint, policy=policy)

    assert state.judged.units == 3
    assert state.votes == Tally(losses=3, units=3)
    assert state.complaints == ((0.1, Tally(losses=2, units=2)),)


def test_vote_and_complaint_are_counted_once() -> None:
    """A second vote on a pair, or complaint of a tenant that day, adds nothing."""
    state = CanaryState()
    for _again in range(3):
        state = count_vote(state, Vote(unit="a", is_loss=True), policy=POLICY)
        complaint = Complaint(unit="a", is_loss=True, share=0.1)
        state = count_complaint(state, complaint, policy=POLICY)

    assert state.votes == Tally(losses=1, units=1)
    assert state.complaints == ((0.1, Tally(losses=1, units=1)),)


def test_state_resumes_exactly() -> None:
    """Written as JSON and read again, it is the same value, and goes on as the same."""
    state = state_of(
        Pair(unit="a", difference=-0.1234567890123),
        Pair(unit="b", difference=None, candidate_is_broken=True),
    )
    state = count_vote(state, Vote(unit="a", is_loss=False), policy=POLICY)
    for share in (0.05, 0.25):
        complaint = Complaint(unit=f"{share}", is_loss=True, share=share)
        state = count_complaint(state, complaint, policy=POLICY)
    more = Pair(unit="c", difference=0.5)

    read = CanaryState.from_json(json.loads(json.dumps(state.to_json())))

    assert read == state
    assert count_pair(read, more, policy=POLICY) == count_pair(state, more, policy=POLICY)
