# SPDX-License-Identifier: Apache-2.0
"""Manners without a name: seeded mixtures of tint, texture, edge and frame, to learn style from.

Flat pictures go in, pictures in the manner of a number come out. Knows nothing of torch.
"""

from __future__ import annotations

import numpy as np
from styles import _blur, _clouds
from world import IMAGE_SIZE_PX


def redraw(picture: np.ndarray, *, manner: int, noise: np.random.Generator) -> np.ndarray:
    """Redraw a flat picture in a manner: the number fixes the manner, `noise` this picture."""
    taste = np.random.default_rng(manner)
    values = picture.astype(np.float32) / 255.0
    mixing = np.eye(3) * taste.uniform(0.4, 1.1) + taste.normal(0.0, 0.18, (3, 3))
    values = np.clip(values @ mixing + taste.uniform(-0.1, 0.35, 3), 0.0, 1.0)
    values **= taste.uniform(0.6, 1.7)
    luma = values.mean(axis=-1)
    if taste.random() < 0.6:
        depth, radius = taste.normal(0.0, 0.09), taste.uniform(0.6, 4.0)
        values += depth * _clouds(noise, radius)[..., None]
    if taste.random() < 0.6:
        radius, ink = taste.uniform(0.8, 3.0), taste.uniform(0.0, 1.0, 3)
        edge = np.clip(np.abs(luma - _blur(luma, radius)) * taste.uniform(1.5, 4.0), 0, 1)
        values += (ink - values) * edge[..., None]
    if taste.random() < 0.4:
        steps = taste.integers(2, 5)
        values = np.round(values * steps) / steps
    if taste.random() < 0.4:
        period, angle = taste.uniform(3.0, 9.0), taste.uniform(0.0, np.pi)
        rows, columns = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
        along = rows * np.sin(angle) + columns * np.cos(angle) + noise.uniform(0.0, period)
        values += taste.uniform(0.04, 0.15) * np.sin(2 * np.pi * along / period)[..., None]
    if taste.random() < 0.4:
        values += (taste.uniform(0.0, 1.0, 3) - values) * _frame(taste.uniform(2.0, 8.0))
    if taste.random() < 0.3:
        radius = taste.uniform(0.6, 1.6)
        values = np.stack([_blur(values[..., one], radius) for one in range(3)], axis=-1)
    return (np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)


def _frame(width_px: float) -> np.ndarray:
    rows, columns = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX]
    last = IMAGE_SIZE_PX - 1
    border = np.minimum.reduce([columns, rows, last - columns, last - rows])
    return np.clip(width_px - border, 0.0, 1.0)[..., None]
