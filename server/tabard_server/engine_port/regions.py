# SPDX-License-Identifier: Apache-2.0
"""Regions of a picture: as somebody asks for them, and as shares of it. Values; knows no torch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Shares = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""Which part of each latent pixel belongs to a region, from 0 to 1; `[height, width]`."""


class Box(NamedTuple):
    """A rectangle, in shares of the picture: 0 is its left and its top, 1 its right and bottom."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRegion:
    """A region as it was asked for, of boxes or of a mask.

    Attributes:
        name: By which adapters say that they are worn there.
        boxes: As text; empty: there is a mask.
        mask: A file: white is the region; None: there are boxes.
        prompt: What to draw there; None: what is drawn everywhere.
    """

    name: str
    boxes: str = ""
    mask: bytes | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """One part of a picture; the shares of all parts add up to 1 in every latent pixel.

    Attributes:
        name: As adapters say it: a name, or boxes; empty: the rest, which no region covers.
        shares: Where it is.
        prompt: What to draw there, without tags.
        boxes: As they were said; empty: there is a mask, or it is the rest.
        mask_sha256: Of the mask's file, in hex; empty without one.
        has_own_prompt: Whether its prompt was said for it.
    """

    name: str
    shares: Shares
    prompt: str
    boxes: str = ""
    mask_sha256: str = ""
    has_own_prompt: bool = False

    def __post_init__(self) -> None:
        assert self.shares.dtype == np.float64 and self.shares.ndim == 2

    @property
    def is_named(self) -> bool:
        """Say whether the request defines it; else an adapter does, or it is the rest."""
        return bool(self.name) and (bool(self.mask_sha256) or self.boxes != self.name)
