# SPDX-License-Identifier: Apache-2.0
"""Blurred pictures keep their size and their mean colour, and nothing that could be seen."""

import numpy as np
import pytest

from tabard_server.safety.blurring import CELLS_MAX, blurred


@pytest.mark.parametrize("size", [(512, 512), (64, 512), (512, 64), (8, 16), (1, 1)])
def test_size_stays(size: tuple[int, int]) -> None:
    """Also of pictures that are smaller than what is left of larger ones."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)

    found = blurred(pixels)

    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)


def test_detail_is_gone() -> None:
    """A checkerboard becomes grey, and pictures that differ in detail alone become the same."""
    board = (np.indices((256, 256)).sum(axis=0) // 4 % 2 * 255).astype(np.uint8)
    one = np.repeat(board[..., np.newaxis], 3, axis=-1)

    found = blurred(one), blurred(255 - one)

    assert np.abs(found[0].astype(int) - 127).max() < 32
    assert np.abs(found[0].astype(int) - found[1].astype(int)).max() < 64
    assert one.max() - one.min() == 255


def test_large_areas_stay() -> None:
    """It is a blur of this picture, and not a grey one of any."""
    half = np.zeros((120, 240, 3), dtype=np.uint8)
    half[:, 120:] = (200, 40, 10)

    found = blurred(half)

    assert found[60, 10].max() < 20
    assert np.abs(found[60, 230].astype(int) - (200, 40, 10)).max() < 20
    assert CELLS_MAX * 20 == 240
