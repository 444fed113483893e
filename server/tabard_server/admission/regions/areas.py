# SPDX-License-Identifier: Apache-2.0
"""From masks and boxes to shares: whose each latent pixel is, so that all shares add up to 1.

A pixel lies in a box if its centre does, so boxes side by side leave no pixel out and share none.
Where areas overlap they share a pixel by how much of it each says; what nobody says is the rest.
Pure, and exact: masks are whole numbers to the end.
"""

from collections.abc import Sequence

import numpy as np

from tabard_server.engine_port.drawing import Pixels, Size
from tabard_server.engine_port.regions import Box, Shares

WHOLE = 255
"""What a mask says of a pixel that is the region's altogether."""


def draw_boxes(boxes: Sequence[Box], *, size: Size) -> Pixels:
    """Return the mask of some boxes."""
    width, height = size
    across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        columns = (box.left <= across) & (across < box.right)
        rows = (box.top <= down) & (down < box.bottom)
        mask[np.ix_(rows, columns)] = WHOLE
    return mask


def share_out(masks: Sequence[Pixels], *, factor: int) -> tuple[list[Shares], Shares | None]:
    """Return the shares of each mask, and those of the rest; None: nothing is left.

    Args:
        masks: `[height, width]`, of the size that is drawn.
        factor: Pixels of a side of one latent pixel.
    """
    total = np.zeros(masks[0].shape, np.uint32)
    for mask in masks:
        total += mask
    whole = np.maximum(total, WHOLE)
    shares = [_pooled(mask / whole, factor) for mask in masks]
    left = WHOLE - np.minimum(total, WHOLE)
    return shares, _pooled(left / WHOLE, factor) if left.any() else None


def _pooled(pixels: Shares, factor: int) -> Shares:
    height, width = pixels.shape
    by_block = pixels.reshape(height // factor, factor, width // factor, factor)
    return np.asarray(by_block.mean(axis=(1, 3)))
