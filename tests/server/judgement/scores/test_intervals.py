# SPDX-License-Identifier: Apache-2.0
"""Intervals of a grid of prompts x seeds."""

import numpy as np
import pytest

from tabard_server.judgement.scores.intervals import (
    bound_without_failures,
    mean_of,
    paired_interval,
    prompt_intervals,
    two_way_interval,
)


def coverage(statistic_grids: int, rng: np.random.Generator) -> float:
    """Share of simulated grids whose interval holds the truth, zero."""
    held = 0
    for trial in range(200):
        grid = (
            rng.normal(0, 0.2, (16, 1)) + rng.normal(0, 0.03, (1, 4)) + rng.normal(0, 0.1, (16, 4))
        )
        drawn = grid if statistic_grids == 2 else grid.reshape(64, 1)
        interval = two_way_interval(mean_of, drawn, seed=trial, samples=400)
        held += interval.low <= 0.0 <= interval.high
    return held / 200


def test_two_way_interval_covers() -> None:
    """In 85 to 97 % of grids in which prompts and seeds vary, it holds the truth."""
    assert 0.85 <= coverage(2, np.random.default_rng(5)) <= 0.97


def test_resampling_pictures_is_caught() -> None:
    """A mutant: resampling pictures as if they were independent claims far too much."""
    assert coverage(1, np.random.default_rng(5)) < 0.80


def test_same_seed_gives_same_interval() -> None:
    """The interval is a function of the grid and the seed."""
    grid = np.random.default_rng(1).normal(size=(16, 4))

    assert two_way_interval(mean_of, grid, seed=3) == two_way_interval(mean_of, grid, seed=3)
    assert two_way_interval(mean_of, grid, seed=3) != two_way_interval(mean_of, grid, seed=4)


def test_pairs_take_out_the_prompts() -> None:
    """What both releases share makes no difference less sure."""
    rng = np.random.default_rng(1)
    stable = rng.normal(size=(16, 4))

    paired = paired_interval(stable - 0.1, stable, seed=1)

    assert paired.low == pytest.approx(-0.1) and paired.high == pytest.approx(-0.1)


def test_each_prompt_has_its_interval() -> None:
    """A prompt that is bad stands out, with the spread of all."""
    grid = np.full((12, 4), 0.8) + np.random.default_rng(2).normal(0, 0.05, (12, 4))
    grid[3] -= 0.7

    intervals = prompt_intervals(grid)

    assert [one.high < 0.5 for one in intervals] == [index == 3 for index in range(12)]


def test_no_failures_leave_a_bound() -> None:
    """None in 64 is fewer than one in twenty-one."""
    assert bound_without_failures(64) == pytest.approx(3 / 64)
    assert bound_without_failures(1) == 1.0
