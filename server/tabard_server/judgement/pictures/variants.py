# SPDX-License-Identifier: Apache-2.0
"""The pictures that a training picture may come back as: mirrored, and moved by two pixels.

Without them one copy in four that is mirrored is found, and of those that moved next to none.
"""

import numpy as np

from tabard_server.judgement.pictures.encoder import Picture

SHIFT_PIXELS = 2
VARIANTS = 18
"""How many there are, the picture itself included."""


def variants_of(picture: Picture) -> list[Picture]:
    """Give the picture itself first, then its shifts, and all of them mirrored: 18."""
    padded = np.pad(picture, ((SHIFT_PIXELS,) * 2, (SHIFT_PIXELS,) * 2, (0, 0)), mode="edge")
    height, width = picture.shape[:2]
    steps = (SHIFT_PIXELS, 0, 2 * SHIFT_PIXELS)
    moved = [padded[y : y + height, x : x + width] for y in steps for x in steps]
    return moved + [one[:, ::-1] for one in moved]
