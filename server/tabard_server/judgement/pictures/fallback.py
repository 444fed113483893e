# SPDX-License-Identifier: Apache-2.0
"""Encoders without weights, for a server that was given none: style, and layout.

Every constant is part of the digest. They see colours, textures and where the edges are; they
know no subjects.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.pictures.colour import Plane, lab, luma, shrink
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors

VERSION = 1
"""Raised whenever the same picture would have another vector."""
BINS = (6, 5, 5)
"""Of the histogram, along L, a and b."""
LOWEST, HIGHEST = (0.0, -60.0, -60.0), (100.0, 60.0, 60.0)
"""Colours that the bins span; what lies outside is counted in the last one."""
FILTERS, FILTER_SIDE, FILTER_SEED = 12, 5, 20_260_101
SCALES = (128, 64, 32)
"""Sides that the lightness is shrunk to before it is filtered."""
EDGE_SIDE, LAYOUT_SIDE, COLOUR_SIDE = 64, 16, 16
COLOUR_PIXELS_SIDE = 256
"""Of larger pictures, colours are counted of every second, third … pixel only."""


@dataclass(frozen=True, slots=True)
class StyleFallback:
    """Colours and textures: a Lab histogram, its moments, and Gram matrices of fixed filters."""

    name: str = "tabard-style"
    digest: str = field(default_factory=lambda: _digest("style"))
    kind: EncoderKind = EncoderKind.STYLE
    is_learned: bool = False

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give one vector of 390 numbers for each picture."""
        return np.stack([_style(picture) for picture in pictures]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class LayoutFallback:
    """Where the edges are: which prompt a picture belongs to, as far as pixels show it."""

    name: str = "tabard-layout"
    digest: str = field(default_factory=lambda: _digest("layout"))
    kind: EncoderKind = EncoderKind.SUBJECT
    is_learned: bool = False

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give one vector of unit length for each picture: 256 numbers."""
        return np.stack([_layout(luma(picture)) for picture in pictures])


@dataclass(frozen=True, slots=True)
class CopyFallback:
    """Layout and small colours: near only for pictures that are nearly the same."""

    name: str = "tabard-copy"
    digest: str = field(default_factory=lambda: _digest("copy"))
    kind: EncoderKind = EncoderKind.COPY
    is_learned: bool = False

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give one vector of unit length for each picture: 256 + 768 numbers."""
        return np.stack([_copy(picture) for picture in pictures])


def _digest(name: str) -> str:
    constants = (VERSION, BINS, LOWEST, HIGHEST, FILTERS, FILTER_SIDE, FILTER_SEED, SCALES)
    sides = (EDGE_SIDE, LAYOUT_SIDE, COLOUR_SIDE, COLOUR_PIXELS_SIDE)
    return hashlib.sha256(repr((name, constants, sides)).encode()).hexdigest()


def _style(picture: Picture) -> npt.NDArray[np.float32]:
    colours = lab(_at_most(picture, side=COLOUR_PIXELS_SIDE))
    flat = colours.reshape(-1, 3)
    moments = np.concatenate([flat.mean(axis=0), flat.std(axis=0)]) / 100
    working = shrink(colours[..., 0] / np.float32(100), side=SCALES[0])
    grams = [_gram(shrink(working, side=side)) for side in SCALES]
    return np.concatenate([_histogram(flat), moments, *grams])


def _histogram(flat: Plane) -> npt.NDArray[np.float32]:
    """Count colours in 6x5x5 bins, blur them so that a near colour is near, take the root."""
    low, high = np.array(LOWEST), np.array(HIGHEST)
    place = ((flat - low) / (high - low) * BINS).astype(np.int64)
    place = np.clip(place, 0, np.array(BINS) - 1)
    index = np.ravel_multi_index(tuple(place.T), BINS)
    counts = np.bincount(index, minlength=int(np.prod(BINS))).reshape(BINS) / len(flat)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if one == axis else (0, 0) for one in range(3)], "edge")
        lower, middle, upper = (
            np.take(padded, range(shift, shift + BINS[axis]), axis=axis) for shift in range(3)
        )
        counts = lower / 4 + middle / 2 + upper / 4
    return np.sqrt(counts).ravel().astype(np.float32)


def _gram(plane: Plane) -> npt.NDArray[np.float32]:
    """Say how strongly the filters answer together: the upper half of a 12x12 matrix, rooted."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (FILTER_SIDE, FILTER_SIDE))
    patches = windows.reshape(-1, FILTER_SIDE**2)
    # The answers' products are the filters' products around the patches' own: 25x25, once.
    spread = patches.T @ patches / len(patches)
    gram = _FILTER_BANK @ spread @ _FILTER_BANK.T
    upper = gram[np.triu_indices(FILTERS)]
    return (np.sign(upper) * np.sqrt(np.abs(upper))).astype(np.float32)


def _layout(brightness: Plane) -> npt.NDArray[np.float32]:
    small = shrink(brightness, side=EDGE_SIDE)
    down, right = np.gradient(small)
    energy = shrink(np.asarray(np.hypot(down, right), dtype=np.float32), side=LAYOUT_SIDE).ravel()
    return _unit(energy)


def _copy(picture: Picture) -> npt.NDArray[np.float32]:
    colours = shrink(lab(picture), side=COLOUR_SIDE).ravel()
    return _unit(np.concatenate([_layout(luma(picture)), _unit(colours - colours.mean())]))


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 1e-8 else vector).astype(np.float32)


def _at_most(picture: Picture, *, side: int) -> Picture:
    """Skip pixels of large pictures: colours need no more of them."""
    step = max(1, min(picture.shape[:2]) // side)
    return picture[::step, ::step]


def _filter_bank() -> npt.NDArray[np.float32]:
    rng = np.random.Generator(np.random.PCG64(FILTER_SEED))
    filters = rng.standard_normal((FILTERS, FILTER_SIDE**2))
    filters -= filters.mean(axis=1, keepdims=True)
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    return filters.astype(np.float32)


_FILTER_BANK = _filter_bank()
