# SPDX-License-Identifier: Apache-2.0
"""A picture blurred beyond recognition: what made it up is gone, and no filter brings it back.

In: pixels. Out: as many, of a few colours that flow into each other.
"""

import numpy as np
from PIL import Image

from tabard_server.engine_port.drawing import Pixels

CELLS_MAX = 12
"""What is left along the longer side."""


def blurred(pixels: Pixels) -> Pixels:
    """Return a picture that keeps the mean colour of large areas and nothing else."""
    image = Image.fromarray(pixels)
    share = CELLS_MAX / max(image.size)
    small = tuple(max(1, min(side, round(side * share))) for side in image.size)
    few = image.resize((small[0], small[1]), resample=Image.Resampling.BOX)
    return np.asarray(few.resize(image.size, resample=Image.Resampling.BICUBIC))
