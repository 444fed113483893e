# SPDX-License-Identifier: Apache-2.0
"""How like its references a picture is."""

import numpy as np
import pytest

from tabard_server.judgement.scores.likeness import Likeness, likeness_to, score_likeness
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked

RNG = np.random.default_rng(7)
STYLE = np.eye(32)[0] * 3.0
BASE = RNG.normal(0, 1, (16, 1, 32)) * 0.6 + RNG.normal(0, 0.3, (16, 4, 32))
REFERENCES = RNG.normal(0, 0.5, (8, 32)) + STYLE


def scale(references: np.ndarray = REFERENCES) -> Likeness | NotChecked:
    return likeness_to(references, base=BASE, is_learned=True, is_nearest=False)


def test_base_is_zero_and_strength_grows() -> None:
    """The base scores 0, the style more the stronger it is worn."""
    worn = scale()
    assert isinstance(worn, Likeness)

    means = [float(worn.of(BASE + weight * STYLE).mean()) for weight in (0.0, 0.3, 0.6, 1.0)]

    assert means[0] == pytest.approx(0.0, abs=1e-9)
    assert means == sorted(means)
    assert 0.6 < means[-1] < 1.2


def test_weaker_release_shows_in_pairs() -> None:
    """The paired interval says that it lost, on every prompt alike."""
    score = score_likeness(scale(), candidate=BASE + 0.3 * STYLE, stable=BASE + STYLE, seed=1)

    assert isinstance(score, Score) and score.paired is not None
    assert score.paired.high < -0.1
    assert len(score.prompts) == 16


def test_three_references_are_too_few() -> None:
    """They could not be compared among themselves."""
    assert scale(REFERENCES[:3]) == NotChecked(reason=Unchecked.TOO_FEW_REFERENCES)


def test_unseen_style_is_not_checked() -> None:
    """References like the base's own pictures give no scale to measure on."""
    alike = np.random.default_rng(8).normal(0, 0.7, (8, 32))

    unseen = score_likeness(scale(alike), candidate=BASE, stable=None, seed=1)

    assert unseen == NotChecked(reason=Unchecked.NOT_SEEN)
