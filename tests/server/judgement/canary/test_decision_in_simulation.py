# SPDX-License-Identifier: Apache-2.0
"""How often canaries are rolled back and promoted: planted releases, and rules that err."""

import dataclasses

import numpy as np
import pytest

from tabard_server.judgement.canary.decision import Course, count
from tabard_server.judgement.canary.policy import CanaryPolicy
from tabard_server.judgement.canary.state import CanaryState
from tabard_server.judgement.canary.units import Pair
from tests.server.judgement.canary.simulation import (
    NEVER,
    POLICY,
    Ends,
    Planted,
    Rule,
    by_the_rule,
    peeking_z_test,
    plain_sign_test,
    plant,
)

CANARIES = 2_000


@pytest.fixture
def rng() -> np.random.Generator:
    """The same canaries every time."""
    return np.random.default_rng(20_000)


def reused(rng: np.random.Generator) -> tuple[np.ndarray, Planted]:
    """Equal releases that differ by prompt either way, on twelve prompts drawn over and over."""
    prompts = rng.integers(0, 12, POLICY.units_max)
    by_prompt = rng.normal(0.0, 0.1, (CANARIES, 12))
    differences = by_prompt[:, prompts] + rng.normal(0.0, 0.05, (CANARIES, POLICY.units_max))
    sound = np.zeros(differences.shape, dtype=bool)
    return prompts, Planted(differences=differences, candidate_broken=sound, stable_broken=sound)


def walk(planted: Planted, canary: int, *, prompts: np.ndarray | None = None) -> tuple[Course, int]:
    """Run one canary through the state, unit by unit: how it ended, and when."""
    state = CanaryState()
    for index in range(POLICY.units_max):
        pair = Pair(
            unit=str(index if prompts is None else prompts[index]),
            difference=float(planted.differences[canary, index]),
            candidate_is_broken=bool(planted.candidate_broken[canary, index]),
            stable_is_broken=bool(planted.stable_broken[canary, index]),
        )
        state, decision = count(state, pair, policy=POLICY)
        if decision.is_final:
            return decision.course, index + 1
    return decision.course, NEVER


def assert_good_ones_stay(rule: Rule, rng: np.random.Generator, *, deviation: float) -> None:
    """At any time of stopping at most 1 % of equal releases are rolled back."""
    ends = rule(plant(rng, canaries=CANARIES, deviation=deviation))
    assert ends.rollback_share <= 0.01


def assert_ruined_prompts_stop(rule: Rule, rng: np.random.Generator) -> None:
    """A release that ruins a tenth of the prompts is promoted in a quarter of runs at most."""
    ends = rule(plant(rng, canaries=CANARIES, ruined=0.1))
    assert ends.success_share <= 0.25


def assert_broken_pictures_stop(rule: Rule, rng: np.random.Generator) -> None:
    """A release that breaks 8 % of the prompts is promoted in few runs."""
    ends = rule(plant(rng, canaries=CANARIES, broken=0.08))
    assert ends.success_share <= 0.05


@pytest.mark.parametrize("deviation", [0.0, 0.05, 0.1, 0.2])
def test_good_releases_stay(rng: np.random.Generator, deviation: float) -> None:
    """The same release, and an equal one that differs either way."""
    assert_good_ones_stay(by_the_rule, rng, deviation=deviation)


@pytest.mark.parametrize(
    ("planted", "median", "found"),
    [
        ({"mean": -0.05, "deviation": 0.1}, 68, 0.97),
        ({"mean": -0.1, "deviation": 0.1}, 35, 0.99),
        ({"mean": -0.2, "deviation": 0.1}, 15, 0.99),
        ({"mean": -0.8, "deviation": 0.1}, 11, 0.99),
        ({"ruined": 0.25}, 43, 0.99),
        ({"ruined": 0.1}, 99, 0.70),
        ({"broken": 0.3}, 37, 0.99),
        ({"broken": 0.08}, 133, 0.75),
    ],
)
def test_regressions_are_found_soon(
    rng: np.random.Generator, planted: dict[str, float], median: float, found: float
) -> None:
    """Within 1.3 times the units that such a regression takes."""
    ends = by_the_rule(plant(rng, canaries=CANARIES, **planted))

    assert ends.rollback_median <= 1.3 * median
    assert ends.rollback_share >= found


def test_equal_releases_succeed_soon(rng: np.random.Generator) -> None:
    """Nothing but the proof of rarely breaking keeps them waiting."""
    ends = by_the_rule(plant(rng, canaries=100))

    assert ends.success_share == 1.0
    assert np.median(ends.succeeded) <= 1.3 * 88


def test_ruined_and_broken_are_stopped(rng: np.random.Generator) -> None:
    """Both lie below what scores alone would stop."""
    assert_ruined_prompts_stop(by_the_rule, rng)
    assert_broken_pictures_stop(by_the_rule, rng)


def test_state_ends_as_simulated(rng: np.random.Generator) -> None:
    """Arrays and the state agree on every canary, how it ends and when."""
    planted = plant(rng, canaries=6, mean=-0.03, deviation=0.1, broken=0.03)
    ends = by_the_rule(planted)

    walked = [walk(planted, canary) for canary in range(6)]

    assert walked == [_end(ends, canary) for canary in range(6)]


def test_reused_prompts_are_one_unit_each(rng: np.random.Generator) -> None:
    """The state counts a prompt once: the canaries that reuse would roll back stay."""
    prompts, planted = reused(rng)
    wrong = by_the_rule(planted).rolled_back
    chosen = np.flatnonzero(wrong < NEVER)[:4]

    walked = [walk(planted, int(canary), prompts=prompts)[0] for canary in chosen]

    assert len(chosen) == 4
    assert walked == [Course.GO_ON] * 4


def test_reuse_as_fresh_is_caught(rng: np.random.Generator) -> None:
    """A mutant: without digests of prompts, far more than 1 % of good releases go."""
    assert by_the_rule(reused(rng)[1]).rollback_share > 0.03


def test_peeking_is_caught(rng: np.random.Generator) -> None:
    """A mutant: a test that is valid once, looked at after every unit."""
    with pytest.raises(AssertionError):
        assert_good_ones_stay(peeking_z_test, rng, deviation=0.1)


def test_plain_sign_test_is_caught(rng: np.random.Generator) -> None:
    """A mutant: it counts ties as wins, and promotes what ruins a tenth."""
    with pytest.raises(AssertionError):
        assert_ruined_prompts_stop(plain_sign_test, rng)


def test_missing_bound_on_broken_is_caught(rng: np.random.Generator) -> None:
    """A mutant: without it broken pictures are merely losses."""
    careless = dataclasses.replace(POLICY, broken_rate_max=0.99)
    with pytest.raises(AssertionError):
        assert_broken_pictures_stop(_under(careless), rng)


def _under(policy: CanaryPolicy) -> Rule:
    return lambda planted: by_the_rule(planted, policy=policy)


def _end(ends: Ends, canary: int) -> tuple[Course, int]:
    rolled_back, succeeded = int(ends.rolled_back[canary]), int(ends.succeeded[canary])
    if min(rolled_back, succeeded) == NEVER:
        return Course.HOLD, NEVER
    is_worse = rolled_back <= succeeded
    return (Course.ROLL_BACK, rolled_back) if is_worse else (Course.SUCCESS, succeeded)
