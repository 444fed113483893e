# SPDX-License-Identifier: Apache-2.0
"""What follows from what a canary has seen."""

import dataclasses
import math

import pytest

from tabard_server.judgement.canary.decision import Course, Decision, count, decide
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import CanaryState, Tally
from tabard_server.judgement.canary.units import Complaint, Pair, Vote

POLICY = CanaryPolicy()
ALONE = {"soft_weight": 0.0, "hard_weight": 0.0, "votes_weight": 0.0, "complaints_weight": 0.0}


def run(
    *units: Pair | Vote | Complaint, policy: CanaryPolicy = POLICY
) -> tuple[CanaryState, Decision]:
    """Count units in turn."""
    state = CanaryState()
    decision = decide(state, policy=policy)
    for unit in units:
        state, decision = count(state, unit, policy=policy)
    return state, decision


def pairs(number: int, *, difference: float, first: int = 0) -> list[Pair]:
    """Give fresh pairs."""
    return [Pair(unit=f"{first + one}", difference=difference) for one in range(number)]


def test_lost_style_is_rolled_back() -> None:
    """Eleven prompts that all lost their style suffice; ten do not."""
    assert run(*pairs(10, difference=-0.8))[1].course is Course.GO_ON

    state, decision = run(*pairs(11, difference=-0.8))

    assert decision.course is Course.ROLL_BACK
    assert decision.e_value >= 100.0
    assert decision.by_stream["soft"][0] == state.soft == Tally(losses=11, units=11)
    assert len(decision.worst) == 5


def test_rollback_is_final() -> None:
    """What comes later cannot take it back, and is not counted."""
    bad = pairs(11, difference=-0.8)

    state, decision = run(*bad, *pairs(150, difference=0.8, first=50))

    assert decision.course is Course.ROLL_BACK
    assert state.judged.units == 11


def test_equal_release_succeeds() -> None:
    """Eighty-eight equal pairs prove that few prompts lose and few break."""
    assert run(*pairs(87, difference=0.0))[1].course is Course.GO_ON
    assert run(*pairs(88, difference=0.0))[1].course is Course.SUCCESS


def test_broken_pictures_prevent_success() -> None:
    """6 % of broken pictures lose rarely enough, and break too often."""
    units = pairs(200, difference=0.0)
    for number in range(0, 200, 16):
        units[number] = Pair(unit=f"{number}", difference=None, candidate_is_broken=True)
    # Without bets on broken pictures nothing but the bound stands between them and Success.
    policy = CanaryPolicy(**(ALONE | {"soft_weight": 1.0}))
    careless = dataclasses.replace(policy, broken_rate_max=0.99)

    assert run(*units, policy=policy)[1].course is Course.HOLD
    assert run(*units, policy=careless)[1].course is Course.SUCCESS


def test_undecided_canary_holds() -> None:
    """When all units are spent people are asked: it is no Success."""
    units = [pair for n in range(100) for pair in alternating(n)]

    assert run(*units)[1].course is Course.HOLD


def test_complaints_roll_back_what_holds() -> None:
    """A canary that waits for people is still taken back when callers complain of it."""
    units = [pair for n in range(100) for pair in alternating(n)]
    complaints = [Complaint(unit=f"{n}", is_loss=True, share=0.1) for n in range(9)]

    assert run(*units, *complaints)[1].course is Course.ROLL_BACK


def test_votes_roll_back() -> None:
    """Blind votes alone suffice, in time."""
    votes = [Vote(unit=f"{n}", is_loss=True) for n in range(20)]

    assert run(*votes)[1].course is Course.ROLL_BACK


def test_complaints_are_bet_on_by_share() -> None:
    """At half of the traffic, half of the complaints are no evidence; at a tenth they are."""
    policy = CanaryPolicy(**(ALONE | {"complaints_weight": 1.0}))

    def complain(share: float) -> Decision:
        return run(
            *(Complaint(unit=f"{n}", is_loss=n % 2 == 0, share=share) for n in range(40)),
            policy=policy,
        )[1]

    assert complain(0.1).course is Course.ROLL_BACK
    assert complain(0.5).e_value < 1.0


def test_shares_multiply_their_evidence() -> None:
    """The share grows stepwise: what was learned under each counts."""
    policy = CanaryPolicy(**(ALONE | {"complaints_weight": 1.0}))
    few = [Complaint(unit=f"a{n}", is_loss=True, share=0.25) for n in range(2)]
    more = [Complaint(unit=f"b{n}", is_loss=True, share=0.5) for n in range(2)]

    separate = [run(*part, policy=policy)[1].e_value for part in (few, more)]

    assert run(*few, *more, policy=policy)[1].e_value == pytest.approx(math.prod(separate))


def test_evidence_stays_a_number() -> None:
    """A thousand complaints at a share of 5 % are beyond any float."""
    losses = tuple(f"{n}" for n in range(1000))
    state = CanaryState(
        complaints=((0.05, Tally(losses=1000, units=1000)),), complaint_units=losses
    )

    assert math.isfinite(decide(state, policy=POLICY).e_value)


def alternating(number: int) -> list[Pair]:
    """One prompt better, one worse: changed, and no worse in all."""
    return [
        Pair(unit=f"+{number}", difference=0.3),
        Pair(unit=f"-{number}", difference=-0.3),
    ]
