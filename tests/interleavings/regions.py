# SPDX-License-Identifier: Apache-2.0
"""The regions that requests say, by name, and the parts of a picture that they come to.

In: a size, names and prompts. Out: what the SDK sends, and what the judge draws alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from tabard import Region as SentRegion
from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.drawing import Pixels, Size
from tabard_server.engine_port.regions import Box, Region

BOXES: Mapping[str, str] = {"left": "0,0,0.5,1", "spots": "0,0,0.4,0.4/0.6,0.5,1,1"}
MASK = "fading"
NAMES = (*BOXES, MASK)
"""Two of boxes, and one of a mask that grows from left to right."""


def sent(name: str, *, prompt: str | None, size: Size) -> SentRegion:
    """Return a region as a caller says it."""
    if name != MASK:
        return SentRegion(name=name, boxes=BOXES[name], prompt=prompt)
    file = io.BytesIO()
    Image.fromarray(_mask(MASK, size=size)).save(file, format="PNG")
    return SentRegion(name=name, mask=file.getvalue(), prompt=prompt)


def parts_of(
    names: Sequence[str], *, prompts: Mapping[str, str], prompt: str, size: Size, factor: int
) -> tuple[Region, ...]:
    """Return the parts of a picture.

    Args:
        names: Its regions, named ones first; others are boxes.
        prompts: Their own, by name.
        prompt: That of all others.
        size: Of the picture.
        factor: Pixels of a side of one latent pixel.
    """
    if not names:
        return ()
    shares, rest = share_out([_mask(name, size=size) for name in names], factor=factor)
    left = () if rest is None else (Region(name="", shares=rest, prompt=prompt),)
    return left + tuple(
        Region(name=name, shares=share, prompt=prompts.get(name, prompt))
        for name, share in zip(names, shares, strict=True)
    )


def _mask(name: str, *, size: Size) -> Pixels:
    if name == MASK:
        row = (255 * np.arange(size[0]) / size[0]).astype(np.uint8)
        return np.tile(row, (size[1], 1))
    boxes = [[float(side) for side in box.split(",")] for box in BOXES.get(name, name).split("/")]
    return draw_boxes([Box(*box) for box in boxes], size=size)
