# SPDX-License-Identifier: Apache-2.0
"""A picture that a caller sent to begin from, ready to be drawn on: a value and nothing else."""

from dataclasses import dataclass

import numpy as np

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentPicture:
    """A picture, and maybe the mask that says where it is redrawn.

    Attributes:
        pixels: `[height, width, 3]`, of the size that is drawn.
        sha256: Of the file as it was sent, in hex.
        width: Pixels of the file, upright.
        height: Pixels of the file, upright.
        mask: `[height, width]`, of the size that is drawn: 128 and more is drawn anew. None: all.
        mask_sha256: Of the mask's file, in hex; empty without one.
    """

    pixels: Bytes
    sha256: str
    width: int
    height: int
    mask: Bytes | None = None
    mask_sha256: str = ""
