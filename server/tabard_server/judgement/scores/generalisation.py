# SPDX-License-Identifier: Apache-2.0
"""Whether a release works on every prompt, and still draws what the prompt says."""

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.scores.intervals import Grid, mean_of, two_way_interval
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked

Vectors = npt.NDArray[np.floating]
"""Prompts x seeds x numbers."""

LIKE_MIN = 0.5
"""A picture of this score has the style."""
TOLD_APART_MIN = 0.1
"""How far above chance the base must be for identifiability to mean anything."""


def score_worst_prompt(cells: Grid, *, stable: Grid | None = None, seed: int) -> Score:
    """Give the mean of the prompt on which a likeness is least; each release has its own."""
    paired = None
    if stable is not None:
        paired = two_way_interval(
            lambda ours, theirs: _worst(ours) - _worst(theirs), cells, stable, seed=seed
        )
    return Score(interval=two_way_interval(_worst, cells, seed=seed), paired=paired)


def score_share_alike(cells: Grid, *, seed: int) -> Score:
    """Give the share of pictures that have the style."""
    alike = (cells >= LIKE_MIN).astype(np.float64)
    return Score(interval=two_way_interval(mean_of, alike, seed=seed))


def score_identifiability(
    candidate: Vectors, *, base: Vectors, stable: Vectors | None, seed: int
) -> Score | NotChecked:
    """Ask of each picture whether the base's pictures of its own prompt are the nearest.

    Returns:
        The share beyond chance, in units of the base's own: 1 as well as the base, 0 chance.
    """
    if base.shape[1] < 2:
        return NotChecked(reason=Unchecked.ONE_SEED)
    chance = 1.0 / len(base)
    base_hits = _hits(base, base)
    if float(base_hits.mean()) - chance < TOLD_APART_MIN:
        return NotChecked(reason=Unchecked.PROMPTS_NOT_SEEN)

    def beyond_chance(hits: Grid, of_base: Grid) -> Grid:
        beyond = np.maximum(mean_of(of_base) - chance, TOLD_APART_MIN)
        return np.asarray((mean_of(hits) - chance) / beyond)

    hits = _hits(candidate, base)
    paired = None
    if stable is not None:
        gained = hits - _hits(stable, base)
        paired = two_way_interval(
            lambda both, of_base: beyond_chance(both + chance, of_base),
            gained,
            base_hits,
            seed=seed,
        )
    return Score(
        interval=two_way_interval(beyond_chance, hits, base_hits, seed=seed), paired=paired
    )


def _worst(cells: Grid) -> Grid:
    return np.asarray(cells.mean(axis=-1).min(axis=-1))


def _hits(grid: Vectors, base: Vectors) -> Grid:
    """Say which pictures are nearest their own prompt: prompts x seeds, 0 or 1.

    The centroids leave out the picture's own seed, or the base would always find itself.
    """
    prompts, seeds = base.shape[:2]
    centred = _centred(base)
    centroids = (centred.sum(axis=1, keepdims=True) - centred) / (seeds - 1)
    cosines = np.einsum("psd,qsd->psq", _unit(_centred(grid)), _unit(centroids))
    own = np.arange(prompts)[:, np.newaxis]
    return np.asarray((cosines.argmax(axis=-1) == own).astype(np.float64))


def _centred(grid: Vectors) -> npt.NDArray[np.float64]:
    return np.asarray(grid - grid.mean(axis=(0, 1)), dtype=np.float64)


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
