# SPDX-License-Identifier: Apache-2.0
"""Whether a picture is broken: beside what the base and stable drew with the same seed.

An absolute bound on contrast would call one good picture in twelve broken: some prompts are flat.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from tabard_server.judgement.pictures.colour import luma
from tabard_server.judgement.pictures.encoder import Picture

CONTRAST_SHARE_MIN = 0.5
"""Less than this share of the lesser of the others' contrast is a broken picture."""


class Fault(StrEnum):
    """Why a picture is broken."""

    NOT_FINITE = "not_finite"
    """Its latents held NaN or Inf."""
    FLAT = "flat"
    """It lost its contrast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """What is measured of a picture to tell whether it is broken."""

    is_finite: bool
    """Whether its latents were all finite; pixels cannot tell."""
    contrast: float
    """Standard deviation of its brightness, 0 to 0.5."""
    clipped_share: float
    """Share of its channel values that are 0 or 255. Told to people; nothing is judged by it."""

    @classmethod
    def of(cls, picture: Picture, *, is_finite: bool) -> Self:
        """Measure a picture."""
        return cls(
            is_finite=is_finite,
            contrast=float(luma(picture).std()),
            clipped_share=float(np.mean((picture == 0) | (picture == 255))),
        )


def latents_are_finite(latents: npt.NDArray[np.floating]) -> bool:
    """Say whether latents hold neither NaN nor Inf."""
    return bool(np.isfinite(latents).all())


def fault_of(
    candidate: Soundness, *, base: Soundness, stable: Soundness | None = None
) -> Fault | None:
    """Say how a picture is broken, or that it is not.

    Args:
        candidate: Of the picture that is judged.
        base: Of the base's, on the same prompt and seed.
        stable: Of the current release's, unless there is none. The lesser contrast of both
            counts: beside a style of strong contrast alone, a third of good pictures are flat.
    """
    if not candidate.is_finite:
        return Fault.NOT_FINITE
    contrast = base.contrast if stable is None else min(base.contrast, stable.contrast)
    return Fault.FLAT if candidate.contrast < CONTRAST_SHARE_MIN * contrast else None
