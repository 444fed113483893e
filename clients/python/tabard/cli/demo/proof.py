# SPDX-License-Identifier: Apache-2.0
"""Did the story hold? The images alone prove it: equal bytes, or pixels that differ enough."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageChops, ImageStat

from tabard.cli.demo.story import BAD, BASE, FEW, FEW_STYLED, RESTORED, STYLE, WRONG, Row, Told
from tabard.result import GeneratedImage

# A style that changes an image by less than this (of 255, mean over its pixels) shows nothing.
LEAST_DIFFERENCE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What held.

    Attributes:
        rollback_identical: Files after the rollback equal those before the bad release.
        bad_release_differs: Every image of the bad release differs visibly from the good one's.
        style_differs_from_base: Every styled image differs visibly from the base's.
        bad_release_difference: Smallest mean pixel difference, 0 to 255.
        style_difference: Likewise, style against base.
        few_steps_taken: Images that leave it to the release of few steps were drawn as it declares,
            with a style beside it too.
        wrong_steps_told: The same release at other steps differs visibly, and was warned of.
    """

    rollback_identical: bool
    bad_release_differs: bool
    style_differs_from_base: bool
    bad_release_difference: float
    style_difference: float
    few_steps_taken: bool
    wrong_steps_told: bool

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not hold, as sentences."""
        told = {
            "the images after the rollback differ from those before": self.rollback_identical,
            "the bad release draws what the good one draws": self.bad_release_differs,
            "the style draws what the base draws": self.style_differs_from_base,
            "few steps were not taken as they are declared": self.few_steps_taken,
            "the wrong steps draw the same, or were not warned of": self.wrong_steps_told,
        }
        return tuple(sentence for sentence, held in told.items() if not held)


def prove(told: Told) -> Proof:
    """Compare the rows that the claims are about."""
    style, restored = told.row(STYLE), told.row(RESTORED)
    bad_difference = _least_difference(told.row(BAD), style)
    style_difference = _least_difference(style, told.row(BASE))
    return Proof(
        rollback_identical=[one.content for one in style.images]
        == [one.content for one in restored.images],
        bad_release_differs=bad_difference >= LEAST_DIFFERENCE,
        style_differs_from_base=style_difference >= LEAST_DIFFERENCE,
        bad_release_difference=bad_difference,
        style_difference=style_difference,
        few_steps_taken=all(_is_as_declared(told.row(key), told) for key in (FEW, FEW_STYLED)),
        wrong_steps_told=bool(told.row(WRONG).warnings)
        and _least_difference(told.row(WRONG), told.row(FEW)) >= LEAST_DIFFERENCE,
    )


def _is_as_declared(row: Row, told: Told) -> bool:
    steps, samplers = told.few_steps["steps"]["recommended"], told.few_steps["samplers"]
    drawn = [one.provenance for one in row.images]
    is_taken = all(one["steps"] == steps and one["sampler"] == samplers[0] for one in drawn)
    return is_taken and not row.warnings


def _least_difference(row: Row, other: Row) -> float:
    pairs = zip(row.images, other.images, strict=True)
    return min(_difference(*pair) for pair in pairs)


def _difference(image: GeneratedImage, other: GeneratedImage) -> float:
    channels = ImageStat.Stat(ImageChops.difference(image.pil, other.pil)).mean
    return sum(channels) / len(channels)
