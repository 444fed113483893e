# SPDX-License-Identifier: Apache-2.0
"""How soon complaints of callers take a canary back, and how rarely they take a good one back."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from tabard_server.judgement.canary.betting import log_evidence_above
from tabard_server.judgement.canary.decision import Course, count
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import CanaryState
from tabard_server.judgement.canary.units import Complaint

CANARIES = 2_000
NEVER = 10**6
ALONE = CanaryPolicy(soft_weight=0.0, hard_weight=0.0, votes_weight=0.0, complaints_weight=1.0)
Losses = npt.NDArray[np.bool_]


@pytest.fixture
def rng() -> np.random.Generator:
    """The same canaries every time."""
    return np.random.default_rng(33_145)


def complaints(rng: np.random.Generator, *, times: float, share: float, units: int) -> Losses:
    """Complaints about a release that is complained of so many times as often as the other."""
    chance = times * share / (times * share + 1.0 - share)
    return rng.random((CANARIES, units)) < chance


def log_evidence(losses: Losses, *, share: float) -> npt.NDArray[np.float64]:
    """The evidence after each complaint; what many canaries have in common is computed once."""
    lost = np.cumsum(losses, axis=1)
    units = np.broadcast_to(np.arange(1, losses.shape[1] + 1), lost.shape)
    pairs, places = np.unique(lost * (losses.shape[1] + 1) + units, return_inverse=True)
    some_lost, some_units = np.divmod(pairs, losses.shape[1] + 1)
    found = log_evidence_above(some_lost, some_units, rate=share)
    return found[places].reshape(lost.shape)


def rolled_back(log_e: npt.NDArray[np.float64], *, weight: float) -> npt.NDArray[np.int64]:
    """After how many complaints each canary is rolled back; NEVER if not."""
    evidence = weight * np.exp(np.minimum(log_e, 700.0)) + 1.0 - weight
    over = evidence >= 1.0 / ALONE.false_rollback_max
    return np.where(over.any(axis=1), over.argmax(axis=1) + 1, NEVER)


@pytest.mark.parametrize(("times", "median", "found"), [(4.0, 33, 0.99), (2.0, 145, 0.70)])
def test_complaints_are_found_soon(
    rng: np.random.Generator, times: float, median: float, found: float
) -> None:
    """At a tenth of the callers, within 300 complaints: within 1.3 times what such a rate takes."""
    losses = complaints(rng, times=times, share=0.1, units=300)

    first = rolled_back(log_evidence(losses, share=0.1), weight=1.0)

    assert np.median(first[first < NEVER]) <= 1.3 * median
    assert np.mean(first < NEVER) >= found


def test_small_weight_costs_few_complaints(rng: np.random.Generator) -> None:
    """With a tenth of the bet a fourfold rate takes half as many more."""
    losses = complaints(rng, times=4.0, share=0.1, units=300)

    first = rolled_back(log_evidence(losses, share=0.1), weight=CanaryPolicy().complaints_weight)

    assert np.median(first) <= 1.6 * 33


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_equal_complaints_leave_it(rng: np.random.Generator, share: float) -> None:
    """At any time of stopping, in a thousand complaints, at most 1 % are rolled back."""
    losses = complaints(rng, times=1.0, share=share, units=1_000)

    first = rolled_back(log_evidence(losses, share=share), weight=1.0)

    assert np.mean(first < NEVER) <= 0.01


def test_growing_share_keeps_the_promise(rng: np.random.Generator) -> None:
    """5, 25, 50 %: the evidence of all steps together is still rarely against an equal release."""
    before, parts = np.zeros((CANARIES, 1)), []
    for share in (0.05, 0.25, 0.5):
        step = log_evidence(complaints(rng, times=1.0, share=share, units=200), share=share)
        parts.append(before + step)
        before = before + step[:, -1:]

    first = rolled_back(np.concatenate(parts, axis=1), weight=1.0)

    assert np.mean(first < NEVER) <= 0.01


def test_wrong_share_is_caught(rng: np.random.Generator) -> None:
    """A mutant: judged by the share of the first step, equal releases go at the second."""
    losses = complaints(rng, times=1.0, share=0.25, units=200)

    first = rolled_back(log_evidence(losses, share=0.05), weight=1.0)

    assert np.mean(first < NEVER) > 0.9


def test_state_ends_as_simulated(rng: np.random.Generator) -> None:
    """The arrays and the state agree on every canary."""
    losses = complaints(rng, times=4.0, share=0.1, units=120)[:6]
    first = rolled_back(log_evidence(losses, share=0.1), weight=1.0)

    walked = [_walk(row) for row in losses]

    assert walked == list(first)


def _walk(losses: npt.NDArray[np.bool_]) -> int:
    state = CanaryState()
    for number, is_loss in enumerate(losses):
        one = Complaint(unit=f"{number}", is_loss=bool(is_loss), share=0.1)
        state, decision = count(state, one, policy=ALONE)
        if decision.course is Course.ROLL_BACK:
            assert math.isfinite(decision.e_value)
            return number + 1
    return NEVER
