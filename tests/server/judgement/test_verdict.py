# SPDX-License-Identifier: Apache-2.0
"""What follows from the scores."""

import dataclasses

import pytest

from tabard_registry.release.bounds import BOUND_NAMES
from tabard_server.judgement.scores.intervals import Interval
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked
from tabard_server.judgement.verdict import GatePolicy, Scores, Verdict, judge

GOOD = Score(
    interval=Interval(value=0.85, low=0.76, high=0.92),
    paired=Interval(value=0.0, low=-0.02, high=0.02),
)
FINE = Scores(style=GOOD, identifiability=GOOD, worst_prompt=GOOD, broken=0, pictures=64)


def scored(value: float, low: float, high: float) -> Score:
    return Score(interval=Interval(value=value, low=low, high=high))


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.SUCCESS),
        ({"style": scored(0.05, -0.1, 0.2)}, Verdict.FAILED),
        ({"style": scored(0.5, 0.4, 0.6)}, Verdict.INCONCLUSIVE),
        (
            {
                "style": dataclasses.replace(
                    GOOD, paired=Interval(value=-0.14, low=-0.2, high=-0.08)
                )
            },
            Verdict.INCONCLUSIVE,
        ),
        ({"identifiability": scored(0.08, 0.0, 0.15)}, Verdict.FAILED),
        ({"worst_prompt": scored(0.1, 0.0, 0.2)}, Verdict.INCONCLUSIVE),
        ({"style": NotChecked(reason=Unchecked.NOT_SEEN)}, Verdict.INCONCLUSIVE),
        ({"drift": scored(2.3, 2.0, 2.6)}, Verdict.FAILED),
        ({"broken": 1}, Verdict.INCONCLUSIVE),
        ({"broken": 2}, Verdict.FAILED),
        ({"pictures": 0}, Verdict.INCONCLUSIVE),
    ],
)
def test_worst_gate_decides(changed: dict[str, object], verdict: Verdict) -> None:
    """One wholly bad interval fails; one undecided or unchecked asks a person."""
    scores = dataclasses.replace(FINE, **changed)  # type: ignore[arg-type]

    assert judge(scores, policy=GatePolicy()).verdict is verdict


def drifted(value: float, *, paired: tuple[float, float] | None) -> Score:
    """Return a drift of a width of a half, with the ends of its difference from stable."""
    interval = Interval(value=value, low=value - 0.5, high=value + 0.5)
    if paired is None:
        return Score(interval=interval)
    low, high = paired
    return Score(interval=interval, paired=Interval(value=(low + high) / 2, low=low, high=high))


@pytest.mark.parametrize(
    ("drift", "of_stable", "verdict"),
    [
        # Stable stays where it is: whoever moves the controls is judged by how far.
        (drifted(0.8, paired=(-0.2, 0.2)), 0.8, Verdict.SUCCESS),
        (drifted(1.2, paired=(0.2, 0.39)), 0.8, Verdict.INCONCLUSIVE),
        (drifted(3.0, paired=(1.8, 2.6)), 0.8, Verdict.FAILED),
        # Stable moves them by design: an equal, a slightly other, a worse and a better one.
        (drifted(3.3, paired=(-0.3, 0.3)), 3.3, Verdict.SUCCESS),
        (drifted(4.1, paired=(0.3, 1.3)), 3.3, Verdict.SUCCESS),
        (drifted(4.9, paired=(1.2, 2.0)), 3.3, Verdict.INCONCLUSIVE),
        (drifted(5.9, paired=(2.0, 3.2)), 3.3, Verdict.FAILED),
        (drifted(0.5, paired=(-3.2, -2.4)), 3.3, Verdict.SUCCESS),
        # A first release has nobody to be no worse than.
        (drifted(3.3, paired=None), None, Verdict.FAILED),
    ],
)
def test_drift_is_beside_what_stable_moves(
    drift: Score, of_stable: float | None, verdict: Verdict
) -> None:
    """Within the interval of stable, which is wide, nobody hides who is worse on every pair."""
    stable = None if of_stable is None else drifted(of_stable, paired=None)
    scores = dataclasses.replace(FINE, drift=drift, drift_of_stable=stable)

    assert judge(scores, policy=GatePolicy()).verdict is verdict


def test_nothing_judged_is_no_success() -> None:
    """Sound pictures of which nothing was compared pass nothing."""
    bare = Scores(broken=0, pictures=64)

    assert judge(bare, policy=GatePolicy()).verdict is Verdict.INCONCLUSIVE


def test_channel_asks_before_the_server() -> None:
    """The same scores by other bounds; what was measured says the server's."""
    asked = {"style_min": 0.8}

    judged = judge(FINE, policy=GatePolicy(), bounds=asked)

    assert judged.verdict is Verdict.INCONCLUSIVE
    (style,) = (one for one in judged.gates if one.name == "style")
    assert style.reason == "0.85 [0.76 to 0.92]; at least 0.80 is asked"
    assert judged.measurement.bounds == GatePolicy().bounds
    assert judged.measurement.figures["style"] == (0.76, 0.92)


def test_what_nobody_sees_is_no_success() -> None:
    """It says why, and makes no failure better."""
    unseen = {"subject": "nobody sees subjects here"}
    bad = dataclasses.replace(FINE, broken=2)

    judged = judge(FINE, policy=GatePolicy(), unseen=unseen)

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.gates[3].reason == "not checked: nobody sees subjects here"
    assert judge(bad, policy=GatePolicy(), unseen=unseen).verdict is Verdict.FAILED


def test_every_bound_is_a_setting() -> None:
    """What a policy may ask for is what a server has bounds for, and the other way round."""
    assert set(GatePolicy.model_fields) == set(BOUND_NAMES)
