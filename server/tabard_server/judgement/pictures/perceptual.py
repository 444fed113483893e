# SPDX-License-Identifier: Apache-2.0
"""Whether two pictures are nearly the same: to find a picture again, never to judge a style."""

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.pictures.colour import Plane, luma, shrink
from tabard_server.judgement.pictures.encoder import Picture

HASH_BITS = 64
NEAR_BITS = 8
"""Hashes that differ in no more bits are of one picture, saved again or made smaller."""

_HASH_SIDE = 32
_WINDOW = 7


def perceptual_hash(picture: Picture) -> int:
    """Hash a picture by the signs of its lowest frequencies (pHash): 64 bits.

    Each of 8x8 is compared with their median, which the mean brightness does not move.
    """
    small = shrink(luma(picture), side=_HASH_SIDE)
    lowest = (_COSINES @ small @ _COSINES.T).ravel()
    bits = lowest > np.median(lowest[1:])
    return int("".join("1" if bit else "0" for bit in bits), 2)


def hash_distance(one: int, other: int) -> int:
    """Count the bits in which two hashes differ."""
    return (one ^ other).bit_count()


def structural_similarity(one: Picture, other: Picture) -> float:
    """Compare two pictures of one size by local structure (SSIM): 1 is the same picture.

    The mean over 7x7 windows of brightness, with the constants of Wang and others (2004).

    Raises:
        ValueError: If the sizes differ, or are smaller than a window.
    """
    if one.shape != other.shape or min(one.shape[:2]) < _WINDOW:
        raise ValueError(f"pictures of one size, 7 or more: {one.shape[:2]}, {other.shape[:2]}")
    first, second = luma(one).astype(np.float64), luma(other).astype(np.float64)
    mean_1, mean_2 = _window_mean(first), _window_mean(second)
    variance_1 = _window_mean(first**2) - mean_1**2
    variance_2 = _window_mean(second**2) - mean_2**2
    shared = _window_mean(first * second) - mean_1 * mean_2
    likeness = (2 * mean_1 * mean_2 + 0.01**2) * (2 * shared + 0.03**2)
    scale = (mean_1**2 + mean_2**2 + 0.01**2) * (variance_1 + variance_2 + 0.03**2)
    return float((likeness / scale).mean())


def _window_mean(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    corners = sums[_WINDOW:, _WINDOW:] + sums[:-_WINDOW, :-_WINDOW]
    total = corners - sums[_WINDOW:, :-_WINDOW] - sums[:-_WINDOW, _WINDOW:]
    return np.asarray(total / _WINDOW**2)


def _cosines() -> Plane:
    """Give the first 8 rows of the DCT-II of 32 values."""
    frequency = np.arange(8)[:, np.newaxis]
    place = np.arange(_HASH_SIDE)[np.newaxis, :] + 0.5
    return np.cos(np.pi * frequency * place / _HASH_SIDE).astype(np.float32)


_COSINES = _cosines()
