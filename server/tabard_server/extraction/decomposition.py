# SPDX-License-Identifier: Apache-2.0
"""A matrix becomes a low-rank pair: a randomised range finder, seeded, then a small SVD.

In: a float32 matrix and how many ranks it may get. Out: two factors, and how much they keep.
The same matrix, seed, machine and number of threads give the same bits. Knows no models.
"""

from dataclasses import dataclass

import torch

from tabard_server.extraction.settings import RankRule

_OVERSAMPLING = 8
_POWER_ITERATIONS = 2
_WHOLE_UP_TO = 192
"""A matrix with a side up to this is decomposed as a whole: a sketch would save nothing."""
_NOISE = 1e-6
"""Singular values below this share of the largest are what float32 left behind."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decomposition:
    """A low-rank pair: `up @ down` is nearly the matrix.

    Attributes:
        down: [rank, columns].
        up: [rows, rank].
        kept_energy: Share of the squared matrix that the pair keeps, as measured.
    """

    down: torch.Tensor
    up: torch.Tensor
    kept_energy: float

    @property
    def rank(self) -> int:
        """Rank of the pair."""
        return int(self.down.shape[0])


def decompose(
    matrix: torch.Tensor, *, ranks: RankRule, seed: int, total: float | None = None
) -> Decomposition:
    """Return the best pair of a matrix that is not all zeros, up to the error of the sketch.

    Args:
        matrix: What is decomposed.
        ranks: How many ranks it may get.
        seed: Of the sketch.
        total: Its energy, where the caller knows it.
    """
    left, values, right = _largest_parts(matrix, count=min(ranks.limit, *matrix.shape), seed=seed)
    total = energy(matrix) if total is None else total
    rank = _choose(values, total=total, ranks=ranks)
    root = values[:rank].sqrt()
    signs = _signs(left[:, :rank])
    up = (left[:, :rank] * (root * signs)).to(matrix.dtype).contiguous()
    down = (right[:rank] * (root * signs)[:, None]).to(matrix.dtype).contiguous()
    lost = energy(matrix - up @ down)
    return Decomposition(down=down, up=up, kept_energy=max(0.0, 1 - lost / total))


def energy(matrix: torch.Tensor) -> float:
    """Return the sum of squares."""
    return float(torch.linalg.vector_norm(matrix, dtype=torch.float64)) ** 2


def _largest_parts(
    matrix: torch.Tensor, *, count: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the largest singular values and their vectors, in float64."""
    width = min(count + _OVERSAMPLING, *matrix.shape)
    if min(matrix.shape) <= max(_WHOLE_UP_TO, 2 * width):
        left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        return left[:, :count], values[:count], right[:count]
    basis = _range_of(matrix, width=width, seed=seed)
    small = (basis.mT @ matrix).double()
    left, values, right = torch.linalg.svd(small, full_matrices=False)
    return basis.double() @ left[:, :count], values[:count], right[:count]


def _range_of(matrix: torch.Tensor, *, width: int, seed: int) -> torch.Tensor:
    """Return an orthonormal basis of nearly the space that the largest parts span."""
    generator = torch.Generator("cpu").manual_seed(seed)
    sketch = torch.randn(matrix.shape[1], width, generator=generator, dtype=matrix.dtype)
    basis: torch.Tensor = torch.linalg.qr(matrix @ sketch.to(matrix.device)).Q
    for _ in range(_POWER_ITERATIONS):
        back = torch.linalg.qr(matrix.mT @ basis).Q
        basis = torch.linalg.qr(matrix @ back).Q
    return basis


def _choose(values: torch.Tensor, *, total: float, ranks: RankRule) -> int:
    """Return the rank: the given one, or the smallest that reaches the energy; never of noise."""
    worthy = max(1, int((values > values[0] * _NOISE).sum()))
    if ranks.energy is None:
        return worthy
    kept = values.square().cumsum(0) / total
    reaching = torch.nonzero(kept >= ranks.energy)
    return min(worthy, int(reaching[0]) + 1 if len(reaching) else len(values))


def _signs(left: torch.Tensor) -> torch.Tensor:
    """Return signs that make each column's largest entry positive, so that a pair is one pair."""
    largest = left.abs().argmax(dim=0, keepdim=True)
    return left.gather(0, largest).sign()[0]
