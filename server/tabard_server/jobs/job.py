# SPDX-License-Identifier: Apache-2.0
"""What a caller asks for, the job it becomes, and the events of a job's life.

Frozen values that every room may hold. They know neither protobuf nor torch, neither queues nor
threads.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from tabard_registry import Release

PromptSyntax = Literal["plain", "a1111"]
"""How a prompt may be read."""
PROMPT_SYNTAXES: tuple[PromptSyntax, ...] = get_args(PromptSyntax)
"""All of them."""

Size: TypeAlias = tuple[int, int]
"""Width and height."""


Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentPicture:
    """A picture, and maybe the mask that says where it is redrawn.

    Attributes:
        pixels: `[height, width, 3]`, of the size that is drawn.
        sha256: Of the file as it was sent, in hex.
        width: Pixels of the file, upright.
        height: Pixels of the file, upright.
        mask: `[height, width]`, of the size that is drawn: 128 and more is drawn anew. None: all.
        mask_sha256: Of the mask's file, in hex; empty without one.
    """

    pixels: Bytes
    sha256: str
    width: int
    height: int
    mask: Bytes | None = None
    mask_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A request as it was written; None where it says nothing.

    Attributes:
        prompt: What to draw, `<lora:…>` tags included.
        negative_prompt: What to keep away from.
        adapters: Refs as written.
        seed: Seed of image 0; image i uses seed + i.
        steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        width: Pixels.
        height: Pixels.
        images: How many.
        sampler: Name in any spelling; empty: the default.
        is_deterministic: Byte-identical files for the same request.
        preview_every: A preview every so many steps; 0: none.
        seconds_left: Time until the caller's deadline; None: no deadline.
        clip_skip: Last layers of the text encoders that the prompt leaves out.
        prompt_syntax: One of `PROMPT_SYNTAXES`; empty: the default.
        prompt_windows_max: Windows that a prompt may fill.
        image: A file with the picture to begin from.
        strength: How much of it is redrawn.
        mask_image: A file that says where.
        original_size: SDXL: the size that the picture shall seem to come from.
        crop_top_left: SDXL: from which y and x of that it shall seem to be cut.
        target_size: SDXL: the size that it shall seem to have.
    """

    prompt: str
    negative_prompt: str = ""
    adapters: tuple[str, ...] = ()
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    images: int | None = None
    sampler: str = ""
    is_deterministic: bool = False
    preview_every: int = 0
    seconds_left: float | None = None
    clip_skip: int | None = None
    prompt_syntax: str = ""
    prompt_windows_max: int | None = None
    image: bytes | None = None
    strength: float | None = None
    mask_image: bytes | None = None
    original_size: Size | None = None
    crop_top_left: tuple[int, int] | None = None
    target_size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WornRecipe:
    """A recipe that brought a release into a stack.

    Attributes:
        release: The recipe.
        weight: Its weight in the request.
    """

    release: Release
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """One pinned release of a stack; never a recipe, which is worn as its members.

    Attributes:
        ref: The ref as the caller wrote it.
        release: What it meant at admission, or the member of the recipe it meant.
        weight: How strongly it acts.
        recipe: The recipe that brought it; None when the ref names the release itself.
    """

    ref: str
    release: Release
    weight: float
    recipe: WornRecipe | None = None

    @property
    def digest(self) -> str:
        """`sha256:…` of the release."""
        return str(self.release.digest)


def worn_for(release: Release) -> tuple[str, ...]:
    """Return the digests that are loaded for a release: its own, or those of its members."""
    return tuple(str(member.digest) for member in release.members) or (str(release.digest),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """An admitted request: checked, pinned, numbered. What it wears never changes.

    Attributes:
        id: Random id.
        ticket: Place in the order of admission.
        prompt: Without tags.
        negative_prompt: What to keep away from.
        worn: The stack, pinned.
        seeds: One for each image.
        steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        width: Pixels.
        height: Pixels.
        sampler: Canonical short name.
        is_deterministic: Every image runs in a forward pass of its own.
        preview_every: A preview every so many steps; 0: none.
        registry_seq: Log position the refs were resolved at.
        admitted_at: Monotonic seconds.
        deadline_at: Monotonic seconds; None: no deadline.
        clip_skip: Last layers of the text encoders that the prompt leaves out.
        prompt_syntax: One of `PROMPT_SYNTAXES`.
        prompt_windows_max: Windows that each prompt may fill.
        prompt_windows: Windows that the longer prompt does fill.
        picture: What to begin from; None: noise.
        strength: How much of it is redrawn; None without one.
        original_size: SDXL: None: the picture's own.
        crop_top_left: SDXL: y and x; None: its corner.
        target_size: SDXL: None: the picture's own.
    """

    id: str
    ticket: int
    prompt: str
    negative_prompt: str
    worn: tuple[Worn, ...]
    seeds: tuple[int, ...]
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    is_deterministic: bool
    preview_every: int
    registry_seq: int
    admitted_at: float
    deadline_at: float | None
    clip_skip: int = 0
    prompt_syntax: PromptSyntax = "plain"
    prompt_windows_max: int = 1
    prompt_windows: int = 1
    picture: SentPicture | None = None
    strength: float | None = None
    original_size: Size | None = None
    crop_top_left: tuple[int, int] | None = None
    target_size: Size | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the stack, in its order."""
        return tuple(worn.digest for worn in self.worn)

    @property
    def recipes(self) -> tuple[WornRecipe, ...]:
        """The recipes of the stack, each once."""
        found = (worn.recipe for worn in self.worn if worn.recipe is not None)
        return tuple({str(recipe.release.digest): recipe for recipe in found}.values())

    @property
    def pinned(self) -> frozenset[str]:
        """Digests of everything it relies on: the stack and its recipes."""
        return frozenset((*self.digests, *(str(one.release.digest) for one in self.recipes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The job is admitted and pinned; `rows_ahead` images wait before it."""

    job: Job
    rows_ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Steps done by one image."""

    index: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A rough look at an unfinished image, as PNG bytes."""

    index: int
    step: int
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReady:
    """A finished image as PNG bytes, and its provenance as JSON."""

    index: int
    png: bytes
    seed: int
    provenance_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Every image was sent. Seconds from admission to the first step, and to the last image."""

    queue_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job ended without all its images."""

    error: Exception


Event: TypeAlias = Accepted | Progress | Preview | ImageReady | Done | Failed
"""Anything that happens to a job, in the order it happens."""
