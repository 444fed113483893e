# SPDX-License-Identifier: Apache-2.0
"""Differences are measured exactly, and drawn on one scale."""

import pytest
from PIL import Image

from tabard.pictures.difference import PixelDifference, apart, heat_map


def square(*pixels: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (2, 2), (100, 100, 100))
    for place, pixel in enumerate(pixels):
        image.putpixel((place % 2, place // 2), pixel)
    return image


def test_difference_is_counted_by_hand() -> None:
    """Of four pixels one differs by 30, 0 and 6, and one by a step that a batch may bring about."""
    found = apart(square(), square((130, 100, 94), (101, 100, 99)))

    assert (found.max, found.changed) == (30, 0.25)
    assert found.mean == pytest.approx((30 + 6 + 1 + 1) / 12)


def test_same_picture_differs_nowhere() -> None:
    """Nothing is nothing."""
    assert apart(square(), square()) == PixelDifference(max=0, mean=0.0, changed=0.0)


def test_any_colour_counts() -> None:
    """A pixel has changed when one of its colours has, whichever."""
    for pixel in ((90, 100, 100), (100, 90, 100), (100, 100, 90)):
        assert apart(square(), square(pixel)).changed == 0.25


def test_heat_grows_with_difference() -> None:
    """Black where nothing differs, yellow where all does, and brighter in between."""
    black, white = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2), (255, 255, 255))
    none, some, more = (
        heat_map(square(), square((value,) * 3)).getpixel((0, 0)) for value in (101, 110, 160)
    )

    assert none == (0, 0, 0)
    assert heat_map(black, white).getpixel((1, 1)) == (252, 255, 164)
    assert isinstance(some, tuple) and isinstance(more, tuple)
    assert 0 < sum(some) < sum(more)
