# SPDX-License-Identifier: Apache-2.0
"""Pictures of coloured discs, drawn from a seed."""

import numpy as np


def picture(seed: int, *, side: int = 64) -> np.ndarray:
    """Draw a few discs on a ground."""
    rng = np.random.default_rng(seed)
    canvas = np.broadcast_to(rng.integers(40, 220, 3), (side, side, 3)).astype(np.float64)
    canvas = canvas.copy()
    rows, columns = np.mgrid[:side, :side]
    for _disc in range(5):
        y, x, radius = [*rng.uniform(0, side, 2).tolist(), rng.uniform(side / 10, side / 4)]
        canvas[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = rng.integers(0, 256, 3)
    return canvas.astype(np.uint8)
