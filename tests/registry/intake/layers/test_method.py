# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry import ModuleShape
from tabard_registry.intake.layers.method import (
    POINT,
    Malformed,
    agree,
    core_kernel,
    flat,
    require,
    unrolled,
)
from tests.registry.fakes import linear

CONV = ModuleShape(kind="conv2d", inputs=8, outputs=16, kernel=(3, 3))


def test_every_missing_part_is_named() -> None:
    """Parts that are there are not."""
    require({"down": (), "up": ()}, "down", "up")

    with pytest.raises(Malformed, match="has no mid and no up factor"):
        require({"down": ()}, "down", "mid", "up")


def test_sizes_that_differ_are_told() -> None:
    """All of them, in order."""
    agree(2, 2, 2, what="factors of ranks")

    with pytest.raises(Malformed, match="factors of ranks 2 and 3 and 2"):
        agree(2, 3, 2, what="factors of ranks")


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1, 1)])
def test_matrix_may_be_a_point(shape: tuple[int, ...]) -> None:
    """Trainers write matrices of convolutions as kernels of one point."""
    assert flat(shape) == (4, 5)


@pytest.mark.parametrize("shape", [(), (4,), (4, 5, 1), (4, 5, 3, 3), (4, 5, 1, 1, 1)])
def test_other_shapes_are_no_matrix(shape: tuple[int, ...]) -> None:
    """Nothing is reshaped on a guess."""
    with pytest.raises(Malformed):
        flat(shape)


@pytest.mark.parametrize(
    ("columns", "module", "expected"),
    [(72, CONV, (8, (3, 3))), (8, CONV, (8, POINT)), (12, linear(12, 16), (12, POINT))],
)
def test_kernel_is_unrolled_into_columns(
    columns: int, module: ModuleShape, expected: tuple[int, tuple[int, int]]
) -> None:
    """Columns hold inputs and kernel where they can, else inputs alone."""
    assert unrolled(columns, module=module) == expected


@pytest.mark.parametrize("shape", [(2, 2), (2, 3, 3, 3), (3, 2, 3, 3), (3, 3, 3, 3)])
def test_core_has_its_rank_twice(shape: tuple[int, ...]) -> None:
    """A core of rank 2 maps rank to rank; its kernel may be any."""
    assert core_kernel((2, 2, 3, 1), rank=2) == (3, 1)

    with pytest.raises(Malformed):
        core_kernel(shape, rank=2)
