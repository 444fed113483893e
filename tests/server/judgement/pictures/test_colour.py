# SPDX-License-Identifier: Apache-2.0
"""Colours, and pictures made smaller."""

import numpy as np
import pytest

from tabard_server.judgement.pictures.colour import lab, shrink


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [((255, 255, 255), (100, 0, 0)), ((255, 0, 0), (53.24, 80.09, 67.20)), ((0, 0, 0), (0, 0, 0))],
)
def test_lab_has_known_colours(rgb: tuple[int, ...], expected: tuple[float, ...]) -> None:
    """White, red and black are where the standard has them."""
    pixel = np.array(rgb, np.uint8).reshape(1, 1, 3)

    assert lab(pixel)[0, 0] == pytest.approx(expected, abs=0.05)


def test_shrinking_keeps_the_mean() -> None:
    """Of any size, to any size."""
    plane = np.random.default_rng(1).random((37, 50)).astype(np.float32)

    assert shrink(plane, side=16).mean() == pytest.approx(plane.mean(), abs=1e-5)
    assert shrink(plane[:4, :4], side=16).shape == (16, 16)
