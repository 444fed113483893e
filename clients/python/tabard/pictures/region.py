# SPDX-License-Identifier: Apache-2.0
"""A part of a picture, in which adapters are worn apart: a value, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from tabard.pictures.sources import PictureSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One of the `regions` of a request: a part of the picture, of boxes or of a mask.

    Adapters that name it are worn there and nowhere else. Where regions overlap they are mixed;
    where none is, the prompt is drawn with the adapters that name no region.

    Attributes:
        name: A letter, then letters, digits, `-` and `_`.
        boxes: Rectangles `left,top,right,bottom` in shares of the picture, with `/` between
            several: `"0,0,0.5,1"`; empty: there is a mask.
        mask: A path, bytes, or a Pillow image, of the size that is drawn: white is the region,
            black is not, grey is so much of it.
        prompt: What to draw there; None: the prompt of the picture.
    """

    name: str
    boxes: str = ""
    mask: PictureSource | None = None
    prompt: str | None = None
