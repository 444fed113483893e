# SPDX-License-Identifier: Apache-2.0
"""Copies, diversity and drift."""

import numpy as np
import pytest

from tabard_server.judgement.pictures.fallback import CopyFallback
from tabard_server.judgement.pictures.variants import variants_of
from tabard_server.judgement.scores.overfitting import (
    Copies,
    find_copies,
    score_diversity,
    score_drift,
)
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked
from tests.server.judgement.drawn import picture

TRAINING = [picture(seed) for seed in range(8)]
EMBED = CopyFallback().embed


def copies(pictures: list[np.ndarray]) -> Copies:
    training = np.stack([EMBED(variants_of(one)) for one in TRAINING])
    held_out = EMBED([picture(seed) for seed in range(100, 120)])
    found = find_copies(EMBED(pictures)[:, np.newaxis], training=training, held_out=held_out)
    assert isinstance(found, Copies)
    return found


def test_copies_are_found() -> None:
    """Plain, mirrored, shifted and noisy ones, each of them."""
    noise = np.random.default_rng(1).normal(0, 6, TRAINING[0].shape)
    noisy = np.clip(TRAINING[3] + noise, 0, 255).astype(np.uint8)
    planted = [TRAINING[0], TRAINING[1][:, ::-1], np.roll(TRAINING[2], 2, axis=1), noisy]

    assert copies(planted).number == 4


def test_fresh_pictures_are_no_copies() -> None:
    """Pictures of the same kind stay below what held-out ones reach."""
    assert copies([picture(seed) for seed in range(200, 216)]).number <= 1


def test_few_training_pictures_are_not_checked() -> None:
    """Three say nothing of how alike such pictures are."""
    few = np.ones((3, 1, 4))

    result = find_copies(np.ones((1, 1, 4)), training=few, held_out=None)

    assert result == NotChecked(reason=Unchecked.TOO_FEW_TRAINING_PICTURES)


def test_alike_seeds_and_drift_show() -> None:
    """Diversity falls with the spread of seeds; drift grows with the distance moved."""
    rng = np.random.default_rng(3)
    prompts, seeds = rng.normal(0, 1, (12, 1, 16)), rng.normal(0, 1, (12, 4, 16))
    base = prompts + seeds

    alike = score_diversity(prompts + 0.1 * seeds, base=base, seed=1)
    same = score_drift(base, base=base, is_learned=True, seed=1)
    moved = score_drift(base + 3.0, base=base, is_learned=True, seed=1)

    assert isinstance(alike, Score) and isinstance(same, Score) and isinstance(moved, Score)
    assert alike.interval.high < 0.3
    assert same.interval.value == pytest.approx(0.0)
    assert moved.interval.low > 1.5


def test_base_that_sees_no_seeds_measures_nothing() -> None:
    """In distances of zero everything is endlessly diverse, and endlessly far away."""
    rng = np.random.default_rng(3)
    moved, base = rng.normal(0, 1, (12, 4, 16)), np.ones((12, 4, 16))

    results = (
        score_diversity(moved, base=base, seed=1),
        score_drift(moved, base=base, is_learned=True, seed=1),
        score_drift(moved, base=base, is_learned=False, seed=1),
    )

    assert set(results) == {NotChecked(reason=Unchecked.SEEDS_NOT_SEEN)}
