# SPDX-License-Identifier: Apache-2.0
"""Whether a release copies its training pictures, always draws the same, or leaks into others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.scores.intervals import Grid, mean_of, two_way_interval
from tabard_server.judgement.scores.likeness import scale_of
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked

Vectors = npt.NDArray[np.floating]
"""Of unit length for copies; of pictures x variants for training pictures."""

COPY_QUANTILE = 0.99
"""Nearer to a training picture than this share of pictures that were not trained on: a copy."""
TRAINING_MIN = 4
_SEED_DISTANCE_MIN = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Pictures that are nearly training pictures."""

    cells: npt.NDArray[np.bool_]
    """Prompts x seeds."""
    threshold: float
    is_left_out: bool
    """Whether training pictures stood in for held-out ones: a series of alike ones hides copies."""

    @property
    def number(self) -> int:
        """How many pictures are copies."""
        return int(self.cells.sum())


def find_copies(
    grid: Vectors, *, training: Vectors, held_out: Vectors | None
) -> Copies | NotChecked:
    """Find copies of training pictures.

    Args:
        grid: Prompts x seeds x numbers, of the encoder for copies.
        training: Pictures x variants x numbers: each with its mirror image and small shifts,
            the picture itself first.
        held_out: Pictures of the same kind that were not trained on, x numbers.
    """
    if len(training) < TRAINING_MIN:
        return NotChecked(reason=Unchecked.TOO_FEW_TRAINING_PICTURES)
    if held_out is None or len(held_out) == 0:
        near = (
            (training[:, 0] @ training.reshape(-1, training.shape[-1]).T)
            .reshape(len(training), len(training), -1)
            .max(axis=-1)
        )
        np.fill_diagonal(near, -np.inf)
        known = near.max(axis=1)
    else:
        known = _nearest(held_out, training)
    threshold = float(np.quantile(known, COPY_QUANTILE))
    return Copies(
        cells=_nearest(grid, training) > threshold,
        threshold=threshold,
        is_left_out=held_out is None or len(held_out) == 0,
    )


def score_diversity(
    candidate: Vectors,
    *,
    base: Vectors,
    stable: Vectors | None = None,
    seed: int,
) -> Score | NotChecked:
    """Compare how far seeds are apart with how far they are for the base: 1 is as far.

    By distances, not by angles about the base: what moves all pictures alike, as a style does,
    makes none of them more alike; and the same picture for all seeds is at distance zero.

    Args:
        candidate: Of an encoder that sees what is in a picture; one of style sees no seeds.
        base: The base's.
        stable: The current release's, unless there is none.
        seed: Of the resampling.
    """
    if base.shape[1] < 2:
        return NotChecked(reason=Unchecked.ONE_SEED)
    ours, unit = (_seed_distance(grid.astype(np.float64)) for grid in (candidate, base))
    theirs = None if stable is None else _seed_distance(stable.astype(np.float64))
    return _in_units(ours, unit=unit, stable=theirs, seed=seed)


def score_drift(
    candidate: Vectors,
    *,
    base: Vectors,
    stable: Vectors | None = None,
    is_learned: bool,
    seed: int,
) -> Score | NotChecked:
    """Say how far control prompts moved, in units of how far the base's seeds are apart."""
    if base.shape[1] < 2:
        return NotChecked(reason=Unchecked.ONE_SEED)
    scale = scale_of(base, is_learned=is_learned)
    origin = scale.apply(base)
    ours, theirs = (
        None if grid is None else np.linalg.norm(scale.apply(grid) - origin, axis=-1)
        for grid in (candidate, stable)
    )
    assert ours is not None
    return _in_units(ours, unit=_seed_distance(origin), stable=theirs, seed=seed)


def _in_units(ours: Grid, *, unit: Grid, stable: Grid | None, seed: int) -> Score | NotChecked:
    """Say how large a figure is beside the base's own, and how it differs from stable's."""
    if float(unit.mean()) < _SEED_DISTANCE_MIN:
        return NotChecked(reason=Unchecked.SEEDS_NOT_SEEN)
    paired = None if stable is None else two_way_interval(_ratio, ours - stable, unit, seed=seed)
    return Score(interval=two_way_interval(_ratio, ours, unit, seed=seed), paired=paired)


def _nearest(vectors: Vectors, training: Vectors) -> Grid:
    return np.asarray((vectors @ training.reshape(-1, training.shape[-1]).T).max(axis=-1))


def _ratio(ours: Grid, theirs: Grid) -> Grid:
    return mean_of(ours) / np.maximum(mean_of(theirs), 1e-12)


def _seed_distance(grid: npt.NDArray[np.float64]) -> Grid:
    """Average the distance over pairs of seeds: prompts x 1."""
    first, second = np.triu_indices(grid.shape[1], k=1)
    apart = np.linalg.norm(grid[:, first] - grid[:, second], axis=-1)
    return np.asarray(apart.mean(axis=1, keepdims=True))
