# SPDX-License-Identifier: Apache-2.0
"""Files of pictures that are all different."""

import io

import numpy as np
from PIL import Image


def noise(seed: int, *, side: int = 32, kind: str = "PNG") -> bytes:
    """Return a file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
