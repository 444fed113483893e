# SPDX-License-Identifier: Apache-2.0
"""The numbers of a request: filled in where it says nothing, refused where they are out of bounds.

In: a request as written. Out: a violation for each field that is wrong, and the drawing of one that
has none. Looks at no registry, no prompt and no pixel.
"""

from dataclasses import replace

from tabard_server.admission.bounds.guidance import GuidanceReader
from tabard_server.admission.bounds.sizes import Asked, Sizes
from tabard_server.admission.declared import Numbers
from tabard_server.engine_port.base_facts import BaseFacts
from tabard_server.engine_port.drawing import Drawing, Picture, Size, WantedDrawing
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.walk import PLAIN_WALK, Walk
from tabard_server.engine_port.work import GUIDED_SAMPLES
from tabard_server.errors import Violation, invalid
from tabard_server.jobs.job import JobSpec
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


class Bounds:
    """Reads the numbers of requests against the limits of one server."""

    def __init__(
        self, *, family: str, facts: BaseFacts, sizes: Sizes, limits: Limits, defaults: Defaults
    ) -> None:
        self._guidance = GuidanceReader(
            facts=facts, defaults=defaults, scale_max=limits.guidance_scale_max
        )
        self._family = family
        self._facts = facts
        self._sizes = sizes
        self._limits = limits
        self._defaults = defaults

    def check(self, spec: JobSpec, *, picture_size: Size | None = None) -> list[Violation]:
        """Return everything that is wrong with the numbers of a request.

        Args:
            spec: The request.
            picture_size: What its picture is drawn at where it says no size.
        """
        wanted, images = spec.wanted, images_of(spec)
        return [
            *self.check_size(wanted, self.size_of(wanted, picture_size)),
            *self._counts(wanted, images=images),
            *self._guidance.check(wanted),
            *_seed(spec.seed, images=images),
            *self._clip_skip(wanted),
            *_picture(wanted, steps=self._steps(wanted)),
            *self._told(wanted),
        ]

    def check_sampling(self, wanted: WantedDrawing) -> list[Violation]:
        """Return what is wrong with steps, guidance and skipped layers."""
        return [
            *self._counts(wanted, images=1),
            *self._guidance.check(wanted),
            *self._clip_skip(wanted),
            *_picture(wanted, steps=self._steps(wanted)),
        ]

    def numbers_of(self, wanted: WantedDrawing) -> Numbers:
        """Return what a request is drawn with, whatever of it was said."""
        return Numbers(steps=self._steps(wanted), guidance_scale=self._guidance.scale_of(wanted))

    def draw(
        self,
        wanted: WantedDrawing,
        *,
        prompt: str,
        negative_prompt: str,
        style: PromptStyle,
        sampler: str,
        picture: Picture | None,
        walk: Walk = PLAIN_WALK,
        regions: tuple[Region, ...] = (),
    ) -> Drawing:
        """Return what a request with nothing wrong in it is drawn as.

        Args:
            wanted: As it was written.
            prompt: Without tags, and with words for the embeddings that it names.
            negative_prompt: Likewise.
            style: How its prompts are read.
            sampler: Short name.
            picture: What its files came to.
            walk: How its steps lie.
            regions: Its parts.
        """
        width, height = self.size_of(wanted, None if picture is None else picture.size)
        return Drawing(
            prompt=prompt,
            negative_prompt=negative_prompt,
            steps=self._steps(wanted),
            guidance_scale=self._guidance.scale_of(wanted),
            width=width,
            height=height,
            sampler=sampler,
            walk=walk,
            style=style,
            clip_skip=wanted.clip_skip or 0,
            guidance=self._facts.guidance,
            skipped=wanted.skipped,
            regions=regions,
            picture=picture,
            strength=_strength(wanted),
            original_size=wanted.original_size,
            crop_top_left=wanted.crop_top_left,
            target_size=wanted.target_size,
        )

    def size_of_picture(self, wanted: WantedDrawing, *, sent: Size) -> Size:
        """Return what a request with a picture of this size is drawn at; it may be out of bounds.

        Raises:
            InvalidRequest: It says one side only, or none and the picture's own cannot be drawn.
        """
        if wanted.width is not None and wanted.height is not None:
            return wanted.width, wanted.height
        if wanted.width is not None or wanted.height is not None:
            raise invalid(
                "height" if wanted.height is None else "width",
                "a request with an image says both width and height, or neither",
                reason="SIZE_INCOMPLETE",
                hint="say both: the image is resized to them; or neither: it is drawn at its own",
            )
        width, height = (self._sizes.floor(side) for side in sent)
        if self.check_size(wanted, (width, height)):
            near = self._sizes.nearest(sent, self._asked(wanted))
            raise invalid(
                "image",
                f"image is {sent[0]}x{sent[1]}, which this server does not draw",
                reason="IMAGE_SIZE_NOT_DRAWABLE",
                hint=f"say a width and height to resize it to, like {near[0]} and {near[1]}",
            )
        return width, height

    def check_size(self, wanted: WantedDrawing, size: Size) -> list[Violation]:
        """Return what is wrong with the size that a request is drawn at."""
        return self._sizes.check(size, self._asked(wanted))

    def check_parts(self, drawing: Drawing) -> list[Violation]:
        """Return what is wrong with the parts of a picture: each costs a step as much as a row."""
        if len(drawing.regions) < 2:
            return []
        asked = Asked(samples=drawing.samples, has_picture=drawing.picture is not None)
        return [
            replace(
                one,
                field="regions",
                description=f"in {len(drawing.regions)} parts, {one.description}",
                hint=f"have fewer regions, or {one.hint}",
            )
            for one in self._sizes.check(drawing.size, asked)
        ]

    def _asked(self, wanted: WantedDrawing) -> Asked:
        samples = GUIDED_SAMPLES if self._guidance.is_guided(wanted) else 1
        return Asked(samples=samples, has_picture=wanted.image is not None)

    def size_of(self, wanted: WantedDrawing, picture_size: Size | None) -> Size:
        """Return what a request is drawn at.

        Args:
            wanted: As it was written.
            picture_size: What its picture is drawn at where it says no size; None: it has none.
        """
        width, height = picture_size or (self._facts.native_width, self._facts.native_height)
        return (
            width if wanted.width is None else wanted.width,
            height if wanted.height is None else wanted.height,
        )

    def _steps(self, wanted: WantedDrawing) -> int:
        if wanted.steps is not None:
            return wanted.steps
        return len(wanted.timesteps) or max(0, len(wanted.sigmas) - 1) or self._defaults.steps

    def _counts(self, wanted: WantedDrawing, *, images: int) -> list[Violation]:
        limits, steps = self._limits, self._steps(wanted)
        asked = (
            ("num_inference_steps", steps, limits.steps_max, "STEPS", "steps_max"),
            ("num_images", images, limits.images_per_job_max, "IMAGES", "images_per_job_max"),
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

    def _clip_skip(self, wanted: WantedDrawing) -> list[Violation]:
        skip, most = wanted.clip_skip or 0, self._facts.clip_skip_max
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

    def _told(self, wanted: WantedDrawing) -> list[Violation]:
        """Check what SDXL is told of sizes; nobody else is told any."""
        most = self._limits.told_pixels_max
        told = (
            ("original_size", wanted.original_size, 1),
            ("crop_top_left", wanted.crop_top_left, 0),
            ("target_size", wanted.target_size, 1),
        )
        said = [(field, pair, least) for field, pair, least in told if pair is not None]
        if not self._facts.takes_sizes:
            return [_told_to_nobody(field, family=self._family) for field, _, _ in said]
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


def images_of(spec: JobSpec) -> int:
    """Return how many images a request asks for."""
    return 1 if spec.images is None else spec.images


def _strength(wanted: WantedDrawing) -> float | None:
    if wanted.image is None:
        return None
    if wanted.strength is None:
        return STRENGTH if wanted.mask_image is None else MASKED_STRENGTH
    return wanted.strength


def _picture(wanted: WantedDrawing, *, steps: int) -> list[Violation]:
    """Check what is said of a picture, whatever the picture is."""
    strength = _strength(wanted)
    if strength is None:
        said = (("strength", wanted.strength), ("mask_image", wanted.mask_image))
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


def _seed(seed: int | None, *, images: int) -> list[Violation]:
    if seed is None or 0 <= seed <= SEED_MAX - max(images, 1) + 1:
        return []
    return [
        Violation(
            field="seed",
            description=f"seed {seed} leaves no room for {images} images below 2^64",
            reason="SEED_OUT_OF_RANGE",
            hint="use a smaller seed",
        )
    ]
