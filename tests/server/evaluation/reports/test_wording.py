# SPDX-License-Identifier: Apache-2.0
"""What was measured in the words of a report; what was not says why."""

import numpy as np
import pytest

from tabard_server.evaluation.reports.wording import (
    DRAFTER,
    not_checked,
    told_broken,
    told_checks,
    told_copies,
    told_gate,
    told_prompts,
    told_score,
    told_verdict,
)
from tabard_server.judgement.scores.intervals import Interval
from tabard_server.judgement.scores.overfitting import Copies
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked
from tabard_server.judgement.verdict import Gate, Verdict

MEASURED = Score(
    interval=Interval(value=0.8, low=0.7, high=0.9),
    paired=Interval(value=0.1, low=-0.1, high=0.3),
    prompts=(
        Interval(value=0.9, low=0.8, high=1.0),
        Interval(value=0.5, low=-float("inf"), high=float("inf")),
    ),
)
FOUND = Copies(cells=np.array([[True, False]]), threshold=0.9, is_left_out=False)


def test_scores_have_their_figures() -> None:
    """With the interval, the baseline, and the difference from it."""
    told = told_score("style", MEASURED, baseline=0.7)

    assert told is not None
    assert (told.value, told.low, told.high, told.baseline) == (0.8, 0.7, 0.9, 0.7)
    assert (told.paired_low, told.paired_high) == (-0.1, 0.3)
    assert told_score("style", None, baseline=None) is None


@pytest.mark.parametrize("reason", list(Unchecked))
def test_every_reason_has_words(reason: Unchecked) -> None:
    """Why a score was not taken is said in a sentence, not by its code."""
    told = told_score("style", NotChecked(reason=reason), baseline=0.5)

    assert told is not None
    assert (told.state, told.value) == ("not_checked", None)
    assert str(reason) not in told.reason
    assert " " in told.reason


def test_copies_and_broken_are_counted() -> None:
    """None of 64 broken may still be three; without training pictures nothing is known."""
    assert (told_copies("copies", FOUND).value, told_copies("copies", FOUND).of) == (1.0, 2)
    assert told_copies("copies", None).state == "not_checked"
    assert told_broken(0, 64).high == pytest.approx(3.0)
    assert (told_broken(2, 64).high, told_broken(2, 64).of) == (None, 64)
    assert not_checked("subject", "why").reason == "why"


def test_prompts_have_finite_ends() -> None:
    """One seed leaves an interval open, and a document has no infinity."""
    first, second = told_prompts(["a", "b"], MEASURED, at_least=0.5)

    assert (first.prompt, first.stable, second.stable) == ("a", True, False)
    assert second.high == 1e6
    assert told_prompts(["a"], None, at_least=0.5) == ()


def test_checks_are_drafted_where_pictures_can_tell() -> None:
    """Copies are flagged; what a gate left open stays open."""
    gates = {"style": Verdict.FAILED, "broken": Verdict.SUCCESS, "identifiability": None}

    checks = told_checks(gates, copies=FOUND)  # type: ignore[arg-type]

    states = {name: one.state for name, one in checks.items()}
    assert states == {"style_mismatch": "flagged", "artifact": "clear", "copyright": "flagged"}
    assert {one.by for one in checks.values()} == {DRAFTER}
    assert told_verdict(Verdict.INCONCLUSIVE) == "Inconclusive"


@pytest.mark.parametrize(
    ("against", "state"),
    [(Verdict.FAILED, "flagged"), (Verdict.SUCCESS, "clear"), (Verdict.INCONCLUSIVE, None)],
)
def test_check_hears_what_would_be_replaced(against: Verdict, state: str | None) -> None:
    """A style that is good enough, and far worse than the one in service, is no clear check."""
    gates = {"style": Verdict.SUCCESS, "style_against_stable": against}

    found = told_checks(gates, copies=None)

    assert (found["style_mismatch"].state if found else None) == state


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict.SUCCESS, "holds"),
        (Verdict.FAILED, "missed"),
        (Verdict.INCONCLUSIVE, "undecided"),
    ],
)
def test_every_bound_says_whether_it_held(verdict: Verdict, answer: str) -> None:
    """Nobody has to compare figures with bounds to see by which one a release failed."""
    gate = Gate(name="style", verdict=verdict, reason="0.83; at least 0.50 is asked")

    assert told_gate(gate) == f"style: 0.83; at least 0.50 is asked: {answer}"
