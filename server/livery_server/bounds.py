# SPDX-License-Identifier: Apache-2.0
"""The numbers of a request: filled in where it says nothing, refused where they are out of bounds.

In: a request as written. Out: plain numbers, and a violation for each field that is wrong. Looks
at no registry and no prompt.
"""

import math
from dataclasses import dataclass

from livery_server.errors import Violation
from livery_server.job import JobSpec
from livery_server.limits import Limits
from livery_server.settings import Defaults

SEED_MAX = 2**64 - 1
"""Largest seed of an image."""
DRAWN_SEED_MAX = 2**32 - 1
"""Largest seed the server draws itself: one that people can copy by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What pixels the base can draw.

    Attributes:
        native_width: Width when a request says nothing.
        native_height: Height when a request says nothing.
        pixel_multiple: Width and height are multiples of it.
    """

    native_width: int
    native_height: int
    pixel_multiple: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a request, complete."""

    width: int
    height: int
    steps: int
    images: int
    guidance_scale: float


class Bounds:
    """Reads the numbers of requests against the limits of one server."""

    def __init__(self, *, canvas: Canvas, limits: Limits, defaults: Defaults) -> None:
        self._canvas = canvas
        self._limits = limits
        self._defaults = defaults

    def read(self, spec: JobSpec) -> tuple[Numbers, list[Violation]]:
        """Return the numbers, and everything that is wrong with them."""
        defaults, canvas = self._defaults, self._canvas
        scale = spec.guidance_scale
        numbers = Numbers(
            width=canvas.native_width if spec.width is None else spec.width,
            height=canvas.native_height if spec.height is None else spec.height,
            steps=defaults.steps if spec.steps is None else spec.steps,
            images=1 if spec.images is None else spec.images,
            guidance_scale=defaults.guidance_scale if scale is None else scale,
        )
        violations = [
            *self._sides(numbers),
            *self._counts(numbers),
            *self._scale(numbers),
            *_seed(spec, images=numbers.images),
        ]
        return numbers, violations

    def _sides(self, numbers: Numbers) -> list[Violation]:
        multiple, least = self._canvas.pixel_multiple, self._limits.side_pixels_min
        wrong = []
        for name, pixels in (("width", numbers.width), ("height", numbers.height)):
            if pixels < least or pixels % multiple:
                near = max(math.ceil(least / multiple), round(pixels / multiple)) * multiple
                wrong.append(
                    Violation(
                        field=name,
                        description=f"{name} {pixels} is not a multiple of {multiple} from "
                        f"{least} up",
                        reason="SIZE_INVALID",
                        hint=f"use {name} {near}",
                    )
                )
        if numbers.width * numbers.height > self._limits.pixels_max:
            wrong.append(
                Violation(
                    field="width",
                    description=f"{numbers.width}x{numbers.height} is "
                    f"{numbers.width * numbers.height} pixels, above {self._limits.pixels_max}",
                    reason="SIZE_TOO_LARGE",
                    hint="ask for a smaller image (limits.pixels_max)",
                )
            )
        return wrong

    def _counts(self, numbers: Numbers) -> list[Violation]:
        limits = self._limits
        asked = (
            ("num_inference_steps", numbers.steps, limits.steps_max, "STEPS", "steps_max"),
            (
                "num_images",
                numbers.images,
                limits.images_per_job_max,
                "IMAGES",
                "images_per_job_max",
            ),
        )
        return [
            Violation(
                field=field,
                description=f"{field} {count} is not from 1 to {most}",
                reason=f"{word}_OUT_OF_RANGE",
                hint=f"use 1 to {most} (limits.{limit})",
            )
            for field, count, most, word, limit in asked
            if not 1 <= count <= most
        ]

    def _scale(self, numbers: Numbers) -> list[Violation]:
        scale, most = numbers.guidance_scale, self._limits.guidance_scale_max
        if math.isfinite(scale) and 0 <= scale <= most:
            return []
        return [
            Violation(
                field="guidance_scale",
                description=f"guidance_scale {scale} is not from 0 to {most:g}",
                reason="GUIDANCE_OUT_OF_RANGE",
                hint="7.5 is usual; 1 or less turns guidance off",
            )
        ]


def _seed(spec: JobSpec, *, images: int) -> list[Violation]:
    if spec.seed is None or 0 <= spec.seed <= SEED_MAX - max(images, 1) + 1:
        return []
    return [
        Violation(
            field="seed",
            description=f"seed {spec.seed} leaves no room for {images} images below 2^64",
            reason="SEED_OUT_OF_RANGE",
            hint="use a smaller seed",
        )
    ]
