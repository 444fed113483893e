# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tabard_server.extraction.decomposition import decompose
from tabard_server.extraction.settings import RankRule

LARGE = (500, 700)
SMALL = (24, 40)


def _low_rank(shape: tuple[int, int], *, rank: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rank)
    left = torch.randn(shape[0], rank, generator=generator)
    return left @ torch.randn(rank, shape[1], generator=generator)


def _falling(shape: tuple[int, int]) -> torch.Tensor:
    """Return a matrix whose singular values are 1, 1/2, 1/3 and so on."""
    generator = torch.Generator().manual_seed(0)
    left = torch.linalg.qr(torch.randn(shape, generator=generator)).Q
    count = min(shape)
    right = torch.linalg.qr(torch.randn(shape[1], count, generator=generator)).Q
    return (left[:, :count] / torch.arange(1, count + 1)) @ right.T


@pytest.mark.parametrize("shape", [LARGE, LARGE[::-1], SMALL])
def test_low_rank_matrix_is_recovered(shape: tuple[int, int]) -> None:
    """The sketch and the whole decomposition find what was multiplied, and no rank more."""
    matrix = _low_rank(shape, rank=6)

    pair = decompose(matrix, ranks=RankRule(rank=20), seed=1)

    assert pair.rank == 6
    assert torch.allclose(pair.up @ pair.down, matrix, atol=1e-5 * float(matrix.abs().max()))
    assert pair.kept_energy == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("shape", [LARGE, SMALL])
def test_truncation_is_nearly_the_best(shape: tuple[int, int]) -> None:
    """No pair of that rank keeps more than the largest singular values; ours keeps nearly that."""
    matrix = _falling(shape)
    values = torch.linalg.svdvals(matrix.double()).square()

    pair = decompose(matrix, ranks=RankRule(rank=8), seed=1)

    best = float(values[:8].sum() / values.sum())
    assert best - 1e-4 <= pair.kept_energy <= best + 1e-6


@pytest.mark.parametrize("shape", [LARGE, SMALL])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.93])
def test_energy_takes_smallest_rank(shape: tuple[int, int], share: float) -> None:
    """One rank fewer would keep too little."""
    matrix = _falling(shape)
    values = torch.linalg.svdvals(matrix.double()).square()
    kept = values.cumsum(0) / values.sum()

    pair = decompose(matrix, ranks=RankRule(energy=share), seed=1)

    assert pair.rank == int((kept < share).sum()) + 1
    assert pair.kept_energy >= share - 1e-5


def test_energy_stops_at_bound() -> None:
    """What an energy asks for is bounded, and the outcome says what was reached."""
    matrix = _falling(LARGE)

    pair = decompose(matrix, ranks=RankRule(energy=0.9999, rank_max=16), seed=1)

    assert pair.rank == 16
    assert pair.kept_energy < 0.98


def test_same_seed_makes_same_bits() -> None:
    """A decomposition repeats, and another seed only moves the last digits."""
    matrix = _falling(LARGE)

    first, second = (decompose(matrix, ranks=RankRule(rank=8), seed=3) for _ in range(2))
    other = decompose(matrix, ranks=RankRule(rank=8), seed=4)

    assert torch.equal(first.up, second.up)
    assert torch.equal(first.down, second.down)
    assert torch.allclose(first.up @ first.down, other.up @ other.down, atol=2e-3)
