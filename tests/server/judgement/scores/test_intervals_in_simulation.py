# SPDX-License-Identifier: Apache-2.0
"""How often intervals hold the truth: of scores that are no plain means, and of differences."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tabard_server.judgement.scores.generalisation import score_worst_prompt
from tabard_server.judgement.scores.intervals import Interval, mean_of, two_way_interval
from tabard_server.judgement.scores.overfitting import score_diversity, score_drift
from tabard_server.judgement.scores.result import Score

GRIDS = 150
PROMPTS, SEEDS, NUMBERS = 16, 4, 8
DRIFT, DIVERSITY = 0.7213, 1.1847
"""Of 20,000 prompts."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A base and two releases that are equal on average, prompt by prompt not."""

    base: np.ndarray
    candidate: np.ndarray
    stable: np.ndarray


def draw(rng: np.random.Generator, *, prompts: int = PROMPTS) -> Drawn:
    """Draw vectors whose prompts move by different amounts, and whose seeds spread differently."""

    def spread(shape: float) -> np.ndarray:
        return rng.gamma(shape, 1 / shape, (prompts, 1, 1))

    def noise(depth: float) -> np.ndarray:
        return rng.normal(0, depth, (prompts, SEEDS, NUMBERS)) * spread(8)

    base = (
        rng.normal(0, 1, (prompts, 1, NUMBERS)) + rng.normal(0, 0.1, (1, SEEDS, NUMBERS))
    ) + noise(0.5)
    candidate, stable = (base + 0.4 * spread(6) + noise(0.3) for _release in range(2))
    return Drawn(base=base, candidate=candidate, stable=stable)


def likenesses(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the likenesses of two equal releases: prompts are shared, luck is not."""
    prompts = rng.normal(0.8, 0.15, (PROMPTS, 1))

    def one() -> np.ndarray:
        own = rng.normal(0, 0.05, (PROMPTS, 1)) + rng.normal(0, 0.03, (1, SEEDS))
        return prompts + own + rng.normal(0, 0.1, (PROMPTS, SEEDS))

    return one(), one()


def drift(rng: np.random.Generator) -> Score:
    drawn = draw(rng)
    found = score_drift(
        drawn.candidate, base=drawn.base, stable=drawn.stable, is_learned=True, seed=1
    )
    assert isinstance(found, Score)
    return found


def diversity(rng: np.random.Generator) -> Score:
    drawn = draw(rng)
    found = score_diversity(drawn.candidate, base=drawn.base, stable=drawn.stable, seed=1)
    assert isinstance(found, Score)
    return found


def worst_prompt(rng: np.random.Generator) -> Score:
    ours, theirs = likenesses(rng)
    return score_worst_prompt(ours, stable=theirs, seed=1)


def coverage(score: Callable[[np.random.Generator], Score], *, truth: float | None) -> float:
    """Share of grids whose interval holds the truth; None: their difference, which is zero."""

    def holds(found: Score) -> bool:
        interval: Interval | None = found.interval if truth is not None else found.paired
        assert interval is not None
        return interval.low <= (truth or 0.0) <= interval.high

    return float(np.mean([holds(score(np.random.default_rng(trial))) for trial in range(GRIDS)]))


def test_truths_are_those_of_many_prompts() -> None:
    """What the intervals are held against."""
    drawn = draw(np.random.default_rng(2), prompts=20_000)
    first, second = np.triu_indices(SEEDS, k=1)

    def apart(grid: np.ndarray) -> float:
        return float(np.linalg.norm(grid[:, first] - grid[:, second], axis=-1).mean())

    moved = np.linalg.norm(drawn.candidate - drawn.base, axis=-1).mean()
    assert moved / apart(drawn.base) == pytest.approx(DRIFT, abs=0.01)
    assert apart(drawn.candidate) / apart(drawn.base) == pytest.approx(DIVERSITY, abs=0.01)


@pytest.mark.parametrize(
    ("score", "truth"), [(drift, DRIFT), (drift, None), (diversity, DIVERSITY), (diversity, None)]
)
def test_ratios_and_their_differences_cover(
    score: Callable[[np.random.Generator], Score], truth: float | None
) -> None:
    """In 85 to 97 % of grids of sixteen prompts."""
    assert 0.85 <= coverage(score, truth=truth) <= 0.97


def test_difference_of_worst_prompts_covers() -> None:
    """Cautiously: the least of many jumps between prompts when they are drawn again."""
    assert 0.90 <= coverage(worst_prompt, truth=None) <= 1.0


def test_resampling_pictures_is_caught() -> None:
    """A mutant: drifts of pictures, drawn again as if a prompt had no drift of its own."""

    def careless(rng: np.random.Generator) -> Score:
        drawn = draw(rng)
        ours, theirs = (
            np.linalg.norm(grid - drawn.base, axis=-1) for grid in (drawn.candidate, drawn.stable)
        )
        paired = two_way_interval(mean_of, (ours - theirs).reshape(-1, 1), seed=1)
        return Score(interval=paired, paired=paired)

    assert coverage(careless, truth=None) < 0.80
