# SPDX-License-Identifier: Apache-2.0
"""How far the pixels of two pictures of one size are apart, in numbers and as a heat map.

Pillow images come in; Pillow is imported only when two are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SAME_MAX = 1
"""Steps of 1/255 by which a batch may move a pixel of an image that is not deterministic."""
_HEAT = ((0, 0, 0), (84, 18, 109), (187, 55, 84), (249, 142, 8), (252, 255, 164))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDifference:
    """How far the pixels of two images of one size are apart, in steps of 1/255.

    Attributes:
        max: The largest difference of any pixel and colour.
        mean: The mean over all pixels and colours.
        changed: Share of the pixels of which a colour differs by more than a batch may move it.
    """

    max: int
    mean: float
    changed: float


def apart(left: PillowImage, right: PillowImage) -> PixelDifference:
    """Measure how far two RGB pictures of one size are apart."""
    from PIL import ImageChops, ImageStat  # noqa: PLC0415 - Pillow is for those who look

    stat = ImageStat.Stat(ImageChops.difference(left, right))
    counts = _most(left, right).histogram()
    return PixelDifference(
        max=max(int(high) for _low, high in stat.extrema),
        mean=sum(stat.mean) / len(stat.mean),
        changed=sum(counts[SAME_MAX + 1 :]) / sum(counts),
    )


def heat_map(left: PillowImage, right: PillowImage) -> PillowImage:
    """Draw how far two RGB pictures of one size are apart, pixel by pixel.

    Black is no difference; then purple, red and orange, and yellow for the largest there can be.
    The scale is the same for every pair, and drawn out where differences are small.
    """
    from PIL import Image  # noqa: PLC0415 - as above

    most = _most(left, right)
    bands = [most.point([_heat(step)[band] for step in range(256)]) for band in range(3)]
    return Image.merge("RGB", bands)


def _most(left: PillowImage, right: PillowImage) -> PillowImage:
    """Give the largest difference among the colours of each pixel."""
    from PIL import ImageChops  # noqa: PLC0415 - as above

    red, green, blue = ImageChops.difference(left, right).split()
    return ImageChops.lighter(red, ImageChops.lighter(green, blue))


def _heat(step: int) -> tuple[int, ...]:
    if step <= SAME_MAX:
        return _HEAT[0]
    place = sqrt(step / 255) * (len(_HEAT) - 1)
    below = min(int(place), len(_HEAT) - 2)
    part = place - below
    pairs = zip(_HEAT[below], _HEAT[below + 1], strict=True)
    return tuple(round(low + part * (high - low)) for low, high in pairs)
