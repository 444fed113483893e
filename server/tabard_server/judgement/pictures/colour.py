# SPDX-License-Identifier: Apache-2.0
"""Colours as people see them, and pictures made smaller. Arrays in, arrays out."""

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.pictures.encoder import Picture

Plane = npt.NDArray[np.float32]
"""Height x width, or height x width x channels."""

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ],
    dtype=np.float32,
)
_WHITE = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)


def lab(picture: Picture) -> Plane:
    """Turn sRGB into CIE L*a*b* under D65: float32, height x width x 3."""
    linear = _LINEAR[picture]
    ratio = linear @ (_TO_XYZ / _WHITE[:, np.newaxis]).T
    bent = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def luma(picture: Picture) -> Plane:
    """Give the brightness of each pixel: float32, height x width, 0 to 1."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.asarray((picture @ weights) / 255, dtype=np.float32)


def shrink(plane: Plane, *, side: int) -> Plane:
    """Average a plane over a grid of side x side areas; what is smaller is repeated.

    Whole pixels are counted by the share of them that lies in an area, so any size will do.
    """
    rows = _areas(plane.shape[0], side)
    columns = _areas(plane.shape[1], side)
    across = np.tensordot(rows, plane, axes=(1, 0))
    return np.moveaxis(np.tensordot(columns, across, axes=(1, 1)), 0, 1).astype(np.float32)


def _areas(pixels: int, side: int) -> Plane:
    edges = np.linspace(0.0, pixels, side + 1)
    first, last = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    pixel = np.arange(pixels)
    share = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0.0, 1.0)
    return np.asarray(share * side / pixels, dtype=np.float32)


def _linear() -> Plane:
    value = np.arange(256) / 255
    bent = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return bent.astype(np.float32)


_LINEAR = _linear()
