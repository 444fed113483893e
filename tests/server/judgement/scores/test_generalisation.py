# SPDX-License-Identifier: Apache-2.0
"""Whether a release works on every prompt."""

import numpy as np
import pytest

from tabard_server.judgement.scores.generalisation import (
    score_identifiability,
    score_share_alike,
    score_worst_prompt,
)
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked

RNG = np.random.default_rng(7)
BASE = RNG.normal(0, 1, (12, 1, 32)) + RNG.normal(0, 0.3, (12, 4, 32))
NOISE = RNG.normal(0, 1, (12, 4, 32))


def test_collapsed_subjects_lose_identity() -> None:
    """A release that draws one thing for all prompts is at chance; one that shifts all is not."""
    shifted = score_identifiability(BASE + 5.0, base=BASE, stable=BASE, seed=1)
    collapsed = score_identifiability(NOISE, base=BASE, stable=BASE, seed=1)

    assert isinstance(shifted, Score) and isinstance(collapsed, Score)
    assert shifted.interval.value == pytest.approx(1.0)
    assert collapsed.interval.high < 0.3
    assert collapsed.paired is not None and collapsed.paired.high < -0.5
    assert collapsed.paired.value == pytest.approx(collapsed.interval.value - 1.0)


def test_unseen_prompts_are_not_checked() -> None:
    """If even the base cannot be told apart, nobody lost anything."""
    result = score_identifiability(NOISE, base=NOISE, stable=None, seed=1)

    assert result == NotChecked(reason=Unchecked.PROMPTS_NOT_SEEN)


def test_worst_prompt_and_share() -> None:
    """One absent prompt among twelve is the worst, and a twelfth of the pictures."""
    cells = np.full((12, 4), 0.9)
    cells[4] = 0.1

    assert score_worst_prompt(cells, seed=1).interval.value == pytest.approx(0.1)
    assert score_share_alike(cells, seed=1).interval.value == pytest.approx(11 / 12)
