# SPDX-License-Identifier: Apache-2.0
"""The numbers of a request: filled in where it says nothing, refused where they are out of bounds.

In: a request as written. Out: plain numbers, and a violation for each field that is wrong. Looks
at no registry, no prompt and no pixel.
"""

import math
from dataclasses import dataclass

from tabard_server.errors import Violation, invalid
from tabard_server.jobs.job import JobSpec, Size
from tabard_server.limits import Limits
from tabard_server.settings import Defaults

SEED_MAX = 2**64 - 1
"""Largest seed of an image."""
DRAWN_SEED_MAX = 2**32 - 1
"""Largest seed the server draws itself: one that people can copy by hand."""
STRENGTH = 0.8
"""How much of a picture is redrawn when a request says nothing, as in diffusers."""
MASKED_STRENGTH = 1.0
"""The same where a mask says which part; likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What the base can draw.

    Attributes:
        native_width: Width when a request says nothing.
        native_height: Height when a request says nothing.
        pixel_multiple: Width and height are multiples of it.
        clip_skip_max: Most layers of its text encoders that a prompt may leave out.
        family: `sd1`, …; only `sdxl` is told of sizes.
    """

    native_width: int
    native_height: int
    pixel_multiple: int
    clip_skip_max: int
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a request, complete; the strength is None without a picture."""

    width: int
    height: int
    steps: int
    images: int
    guidance_scale: float
    clip_skip: int
    strength: float | None


class Bounds:
    """Reads the numbers of requests against the limits of one server."""

    def __init__(self, *, canvas: Canvas, limits: Limits, defaults: Defaults) -> None:
        self._canvas = canvas
        self._limits = limits
        self._defaults = defaults

    def read(
        self, spec: JobSpec, *, picture_size: Size | None = None
    ) -> tuple[Numbers, list[Violation]]:
        """Return the numbers, and everything that is wrong with them.

        Args:
            spec: The request.
            picture_size: What its picture is drawn at where it says no size.
        """
        defaults, canvas = self._defaults, self._canvas
        width, height = picture_size or (canvas.native_width, canvas.native_height)
        scale = spec.guidance_scale
        numbers = Numbers(
            width=width if spec.width is None else spec.width,
            height=height if spec.height is None else spec.height,
            steps=defaults.steps if spec.steps is None else spec.steps,
            images=1 if spec.images is None else spec.images,
            guidance_scale=defaults.guidance_scale if scale is None else scale,
            clip_skip=spec.clip_skip or 0,
            strength=_strength_of(spec),
        )
        violations = [
            *self.check_size(numbers.width, numbers.height),
            *self._counts(numbers),
            *self._scale(numbers),
            *_seed(spec, images=numbers.images),
            *self._clip_skip(numbers),
            *_picture(spec, numbers),
            *self._told(spec),
        ]
        return numbers, violations

    def size_of_picture(self, spec: JobSpec, *, sent: Size) -> Size:
        """Return what a request with a picture of this size is drawn at; it may be out of bounds.

        Raises:
            InvalidRequest: It says one side only, or none and the picture's own cannot be drawn.
        """
        if spec.width is not None and spec.height is not None:
            return spec.width, spec.height
        if spec.width is not None or spec.height is not None:
            raise invalid(
                "height" if spec.height is None else "width",
                "a request with an image says both width and height, or neither",
                reason="SIZE_INCOMPLETE",
                hint="say both: the image is resized to them; or neither: it is drawn at its own",
            )
        width, height = (self._floor(side) for side in sent)
        if self.check_size(width, height):
            near = self._nearest(sent)
            raise invalid(
                "image",
                f"image is {sent[0]}x{sent[1]}, which this server does not draw",
                reason="IMAGE_SIZE_NOT_DRAWABLE",
                hint=f"say a width and height to resize it to, like {near[0]} and {near[1]}",
            )
        return width, height

    def check_size(self, width: int, height: int) -> list[Violation]:
        """Return what is wrong with the size of an image."""
        multiple, least = self._canvas.pixel_multiple, self._limits.side_pixels_min
        wrong = []
        for name, pixels in (("width", width), ("height", height)):
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
        if width * height > self._limits.pixels_max:
            wrong.append(
                Violation(
                    field="width",
                    description=f"{width}x{height} is {width * height} pixels, above "
                    f"{self._limits.pixels_max}",
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

    def _clip_skip(self, numbers: Numbers) -> list[Violation]:
        skip, most = numbers.clip_skip, self._canvas.clip_skip_max
        if 0 <= skip <= most:
            return []
        return [
            Violation(
                field="clip_skip",
                description=f"clip_skip {skip} is not from 0 to {most}",
                reason="CLIP_SKIP_OUT_OF_RANGE",
                hint="1 is usual for drawn styles (A1111 calls it 2), 0 for everything else",
            )
        ]

    def _told(self, spec: JobSpec) -> list[Violation]:
        """Check what SDXL is told of sizes; nobody else is told any."""
        most = self._limits.told_pixels_max
        told = (
            ("original_size", spec.original_size, 1),
            ("crop_top_left", spec.crop_top_left, 0),
            ("target_size", spec.target_size, 1),
        )
        said = [(field, pair, least) for field, pair, least in told if pair is not None]
        if self._canvas.family != "sdxl":
            return [_told_to_nobody(field, family=self._canvas.family) for field, _, _ in said]
        return [
            Violation(
                field=field,
                description=f"{field} is {pair[0]} and {pair[1]}, not each from {least} to {most}",
                reason="SIZE_OUT_OF_RANGE",
                hint=f"use pixels from {least} to {most} (limits.told_pixels_max)",
            )
            for field, pair, least in said
            if not all(least <= pixels <= most for pixels in pair)
        ]

    def _floor(self, pixels: int) -> int:
        multiple = self._canvas.pixel_multiple
        return pixels // multiple * multiple

    def _nearest(self, sent: Size) -> Size:
        """Return a size of about this shape that can be drawn."""
        least = math.ceil(self._limits.side_pixels_min / self._canvas.pixel_multiple)
        least *= self._canvas.pixel_multiple
        shrink = min(1.0, math.sqrt(self._limits.pixels_max / (sent[0] * sent[1])))
        width, height = (max(least, self._floor(math.floor(side * shrink))) for side in sent)
        longest = self._floor(self._limits.pixels_max // least)
        return min(width, longest), min(height, longest)


def _strength_of(spec: JobSpec) -> float | None:
    if spec.image is None:
        return None
    if spec.strength is None:
        return STRENGTH if spec.mask_image is None else MASKED_STRENGTH
    return spec.strength


def _picture(spec: JobSpec, numbers: Numbers) -> list[Violation]:
    """Check what is said of a picture, whatever the picture is."""
    if numbers.strength is None:
        said = (("strength", spec.strength), ("mask_image", spec.mask_image))
        return [
            Violation(
                field=field,
                description=f"{field} says how an image is redrawn, and there is no image",
                reason="IMAGE_MISSING",
                hint=f"send an image, or leave {field} out",
            )
            for field, value in said
            if value is not None
        ]
    strength, steps = numbers.strength, numbers.steps
    if not 0 < strength <= 1:
        description, reason = f"strength {strength} is not above 0 and at most 1", "OUT_OF_RANGE"
        hint = "0.8 is usual; 1 leaves little of the image, less leaves more"
    elif steps >= 1 and int(steps * strength) < 1:
        description = f"strength {strength:g} of {steps} steps leaves no step to take"
        reason, hint = "TOO_SMALL", f"use {1 / steps:.2f} or more, or more steps"
    else:
        return []
    return [
        Violation(field="strength", description=description, reason=f"STRENGTH_{reason}", hint=hint)
    ]


def _told_to_nobody(field: str, *, family: str) -> Violation:
    return Violation(
        field=field,
        description=f"{field} is told to SDXL only, and this base is {family}",
        reason="SIZES_NOT_SERVED",
        hint=f"leave {field} out",
    )


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
