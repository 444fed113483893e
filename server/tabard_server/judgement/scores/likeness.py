# SPDX-License-Identifier: Apache-2.0
"""How like its references a picture is, between the base's pictures (0) and the references (1).

The score of style takes the mean over references, that of a subject the nearest one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.scores.intervals import (
    Grid,
    mean_of,
    paired_interval,
    prompt_intervals,
    two_way_interval,
)
from tabard_server.judgement.scores.result import NotChecked, Score, Unchecked

Vectors = npt.NDArray[np.floating]
"""References x numbers, or prompts x seeds x numbers."""

REFERENCES_MIN = 4
SEEN_MIN = 0.1
"""References less like each other, beyond the base, than this are nothing the encoder sees."""
_SPREAD_SHARE_MIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What embeddings are centred and divided by: the grid of the base."""

    mean: Vectors
    spread: Vectors

    def apply(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Centre and divide embeddings of any leading shape."""
        return np.asarray((vectors - self.mean) / self.spread, dtype=np.float64)


def scale_of(base: Vectors, *, is_learned: bool) -> Scale:
    """Take the base grid's mean, and for the fallback its spread too.

    A number that hardly varies is divided by a tenth of the mean spread, not by its own.
    """
    flat = np.asarray(base, dtype=np.float64).reshape(-1, base.shape[-1])
    spread = np.ones(flat.shape[-1])
    if not is_learned:
        own = flat.std(axis=0)
        spread = np.maximum(own, max(_SPREAD_SHARE_MIN * float(own.mean()), 1e-12))
    return Scale(mean=flat.mean(axis=0), spread=spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A scale from the base to the references."""

    scale: Scale
    references: npt.NDArray[np.float64]
    """Scaled and of unit length."""
    base_mean: float
    references_mean: float
    """Leaving each out in turn."""
    is_nearest: bool

    def of(self, grid: Vectors) -> Grid:
        """Score each picture of a grid: prompts x seeds."""
        raw = _nearness(_unit(self.scale.apply(grid)), self.references, is_nearest=self.is_nearest)
        return (raw - self.base_mean) / (self.references_mean - self.base_mean)


def likeness_to(
    references: Vectors, *, base: Vectors, is_learned: bool, is_nearest: bool
) -> Likeness | NotChecked:
    """Build the scale, or say why it cannot be built.

    Args:
        references: Pictures of the style or the subject.
        base: The base's grid; for a subject, of the same prompts with the word of its class.
        is_learned: Whether the encoder was trained.
        is_nearest: Whether the nearest reference counts (a subject) or their mean (a style).
    """
    if len(references) < REFERENCES_MIN:
        return NotChecked(reason=Unchecked.TOO_FEW_REFERENCES)
    scale = scale_of(base, is_learned=is_learned)
    units = _unit(scale.apply(references))
    base_mean = float(_nearness(_unit(scale.apply(base)), units, is_nearest=is_nearest).mean())
    others = [np.delete(units, index, axis=0) for index in range(len(units))]
    left_out = [
        _nearness(unit, rest, is_nearest=is_nearest)
        for unit, rest in zip(units, others, strict=True)
    ]
    references_mean = float(np.mean(left_out))
    if not references_mean - base_mean >= SEEN_MIN:
        return NotChecked(reason=Unchecked.NOT_SEEN)
    return Likeness(
        scale=scale,
        references=units,
        base_mean=base_mean,
        references_mean=references_mean,
        is_nearest=is_nearest,
    )


def score_likeness(
    likeness: Likeness | NotChecked, *, candidate: Vectors, stable: Vectors | None, seed: int
) -> Score | NotChecked:
    """Score style or subject; on prompts without the trigger, the leak of it."""
    if isinstance(likeness, NotChecked):
        return likeness
    cells = likeness.of(candidate)
    paired = None
    if stable is not None:
        paired = paired_interval(cells, likeness.of(stable), seed=seed)
    return Score(
        interval=two_way_interval(mean_of, cells, seed=seed),
        paired=paired,
        prompts=prompt_intervals(cells),
    )


def _nearness(
    units: npt.NDArray[np.float64], references: npt.NDArray[np.float64], *, is_nearest: bool
) -> Grid:
    cosines = units @ references.T
    return np.asarray(cosines.max(axis=-1) if is_nearest else cosines.mean(axis=-1))


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))
