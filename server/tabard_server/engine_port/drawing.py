# SPDX-License-Identifier: Apache-2.0
"""What shapes one image, but for its stack and seed: as somebody asks for it, and as it is drawn.

A field of a request that shapes images is a field of both. Admission makes the one of the other,
once; from then on a drawing is carried whole. Knows neither protobuf nor torch.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tabard_server.engine_port.base_facts import Guidance
from tabard_server.engine_port.prompt_style import PLAIN, PromptStyle
from tabard_server.engine_port.regions import Region, WantedRegion
from tabard_server.engine_port.walk import PLAIN_WALK, Walk

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""An image `[height, width, 3]`, or a mask `[height, width]`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture that is redrawn, and maybe the mask that says where.

    Attributes:
        pixels: `[height, width, 3]`, of the size that is drawn.
        sha256: Of the file as it was sent, in hex.
        sent_size: Size of the file, upright.
        mask: `[height, width]`, of the size that is drawn: 128 and more is drawn anew, less is
            kept. None: all is drawn anew.
        mask_sha256: Of the mask's file, in hex; empty without one.
    """

    pixels: Pixels
    sha256: str
    sent_size: Size
    mask: Pixels | None = None
    mask_sha256: str = ""

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8 and self.pixels.ndim == 3
        assert self.mask is None or (
            self.mask.dtype == np.uint8 and self.mask.shape == self.pixels.shape[:2]
        )

    @property
    def size(self) -> Size:
        """Size that is drawn."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedLayers:
    """Skip-layer guidance: away from what the network says without some of its blocks.

    Where a request says nothing, the numbers are those of diffusers' `StableDiffusion3Pipeline`.

    Attributes:
        layers: Their numbers, in the network's order.
        scale: How far away.
        start: The share of the steps behind which it begins.
        stop: The share before which it ends.
    """

    layers: tuple[int, ...]
    scale: float = 2.8
    start: float = 0.01
    stop: float = 0.2

    @property
    def share(self) -> float:
        """Which share of the steps it takes part in."""
        return max(0.0, self.stop - self.start)

    def is_at(self, step: int, *, steps: int) -> bool:
        """Say whether it takes part in a step, counted from 0."""
        return steps * self.start < step < steps * self.stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything that shapes one image except its stack and seed.

    Attributes:
        prompt: What to draw, without tags.
        negative_prompt: What to keep away from; empty: nothing in particular.
        steps: Denoise steps asked of the sampler.
        guidance_scale: How strongly the prompt is followed; of a base that is guided by a second
            sample, 1 or less: without it.
        guidance: How the base follows that number.
        skipped: Blocks that a sample beside leaves out, to guide the picture away from it.
        width: Pixels.
        height: Pixels.
        sampler: Canonical short name.
        walk: How its steps lie.
        style: How the prompts are read.
        clip_skip: Last layers of the CLIPs that the prompt leaves out; as in diffusers,
            where 1 is A1111's 2, the negative prompt leaves out none.
        regions: Its parts, where they are drawn apart: the rest, if there is one, and the regions.
            Empty: it is one.
        picture: What to redraw; None: begin from noise.
        strength: How much of it is redrawn, above 0 and at most 1; at 1 nothing but what the mask
            keeps is left. None without a picture.
        original_size: SDXL: the size that the picture shall seem to come from; None: its own.
        crop_top_left: SDXL: from which y and x of that it shall seem to be cut; None: its corner.
        target_size: SDXL: the size that it shall seem to have; None: its own.
    """

    prompt: str
    negative_prompt: str = ""
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    walk: Walk = PLAIN_WALK
    style: PromptStyle = PLAIN
    clip_skip: int = 0
    guidance: Guidance = "classifier_free"
    skipped: SkippedLayers | None = None
    regions: tuple[Region, ...] = ()
    picture: Picture | None = None
    strength: float | None = None
    original_size: Size | None = None
    crop_top_left: tuple[int, int] | None = None
    target_size: Size | None = None

    def __post_init__(self) -> None:
        assert (self.picture is None) == (self.strength is None)
        assert self.picture is None or self.picture.size == self.size
        assert self.strength is None or 0.0 < self.strength <= 1.0

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.width, self.height

    @property
    def is_guided(self) -> bool:
        """Say whether an unconditional sample is needed beside the image's own."""
        return self.guidance == "classifier_free" and self.guidance_scale > 1.0

    @property
    def samples(self) -> int:
        """Samples that it takes in a forward pass: those of each of its parts."""
        return self.samples_per_part * max(1, len(self.regions))

    @property
    def samples_per_part(self) -> int:
        """Samples of one part of it: 2 with guidance, else 1."""
        return 2 if self.is_guided else 1

    @property
    def part_names(self) -> tuple[str, ...]:
        """The regions that its parts are; empty: the rest, or all of it."""
        return tuple(region.name for region in self.regions) or ("",)

    @property
    def prompts(self) -> tuple[str, ...]:
        """What its parts show."""
        return tuple(region.prompt for region in self.regions) or (self.prompt,)

    @property
    def work(self) -> float:
        """How much it asks of the engine: pixels times steps times samples."""
        steps = self.steps if self.strength is None else max(1.0, self.steps * self.strength)
        beside = 0.0 if self.skipped is None else self.skipped.share / 2
        return self.width * self.height * steps * self.samples * (1.0 + beside)

    @property
    def time_ids(self) -> tuple[int, ...]:
        """What SDXL is told of sizes, heights before widths as it was trained."""
        original, target = self.original_size or self.size, self.target_size or self.size
        return (*original[::-1], *(self.crop_top_left or (0, 0)), *target[::-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDrawing:
    """A drawing as it was asked for, `<lora:…>` tags included; None where nothing was said.

    Attributes:
        sampler: In any spelling, maybe with a schedule behind it; empty: the default.
        timestep_spacing: In any spelling; empty: as the base and the schedule have it.
        schedule: In any spelling; empty: that of the sampler.
        timesteps: The timesteps themselves, or none.
        sigmas: The sigmas themselves, or none.
        eta: How much noise each step adds.
        prompt_syntax: One of `PROMPT_SYNTAXES`; empty: the default.
        prompt_windows_max: Windows that a prompt may fill.
        token_match: One of `TOKEN_MATCHES`; empty: the default.
        auto_trigger: Whether trigger words that the prompt lacks are put in.
        regions: Parts of the picture, by name.
        image: A file with the picture to redraw.
        mask_image: A file that says where.
    """

    prompt: str
    negative_prompt: str = ""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    sampler: str = ""
    timestep_spacing: str = ""
    schedule: str = ""
    timesteps: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    eta: float | None = None
    prompt_syntax: str = ""
    prompt_windows_max: int | None = None
    token_match: str = ""
    clip_skip: int | None = None
    skipped: SkippedLayers | None = None
    auto_trigger: bool = False
    regions: tuple[WantedRegion, ...] = ()
    image: bytes | None = None
    mask_image: bytes | None = None
    strength: float | None = None
    original_size: Size | None = None
    crop_top_left: tuple[int, int] | None = None
    target_size: Size | None = None

    @property
    def has_files(self) -> bool:
        """Say whether pictures were sent with it."""
        return self.image is not None or any(one.mask is not None for one in self.regions)
