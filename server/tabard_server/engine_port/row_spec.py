# SPDX-License-Identifier: Apache-2.0
"""What the loop asks an engine to draw: one row, its stack and its picture. Knows no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tabard_server.adapters.host_adapter import HostAdapter

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture to begin from.

    Attributes:
        pixels: uint8 `[height, width, 3]`, of the size that is drawn.
        strength: How much is redrawn, above 0 and at most 1; at 1 nothing but the frame is left.
        mask: uint8 `[height, width]`; 128 and more is drawn anew, less is kept. None: all of it.
    """

    pixels: Bytes
    strength: float
    mask: Bytes | None = None

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8 and self.pixels.ndim == 3
        assert 0.0 < self.strength <= 1.0
        assert self.mask is None or (
            self.mask.dtype == np.uint8 and self.mask.shape == self.pixels.shape[:2]
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


WINDOWS_MAX = 4
"""Most windows that a prompt may have, however it is asked for."""


PromptSyntax = Literal["plain", "a1111"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStyle:
    """How prompts are read.

    Attributes:
        syntax: `plain`: every character is text. `a1111`: brackets weigh.
        windows_max: Windows of the text encoder that a prompt may fill; 1 as it was trained.
    """

    syntax: PromptSyntax = "plain"
    windows_max: int = 1

    def __post_init__(self) -> None:
        assert self.syntax in ("plain", "a1111")
        assert 1 <= self.windows_max <= WINDOWS_MAX


PLAIN = PromptStyle()


Stack = Sequence[tuple[HostAdapter, float]]


StackKey = tuple[tuple[str, float], ...]


def stack_key(stack: Stack) -> StackKey:
    """Return what tells stacks apart: digests and weights, in order, of what changes weights."""
    return tuple((adapter.digest, float(w)) for adapter, w in stack if _changes_weights(adapter))


def _changes_weights(adapter: HostAdapter) -> bool:
    return bool(adapter.layers or adapter.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """Everything that shapes one image.

    Attributes:
        prompt: What to draw.
        negative_prompt: What to keep away from; empty: nothing in particular.
        stack: Adapters and their weights, in order.
        seed: Seed of this row's generator.
        steps: Denoise steps asked of the sampler.
        guidance_scale: Classifier-free guidance; 1 or less: none.
        width: Pixels.
        height: Pixels.
        sampler: Canonical short name.
        style: How the prompts are read.
        clip_skip: Last layers of the text encoders that the prompt leaves out; as in diffusers,
            where 1 is A1111's 2, the negative prompt leaves out none.
        picture: What to redraw; None: begin from noise.
        original_size: SDXL: width and height that the picture shall seem to come from; None: its
            own.
        crop_top_left: SDXL: from which y and x of that it shall seem to be cut.
        target_size: SDXL: width and height that it shall seem to have; None: its own.
    """

    prompt: str
    negative_prompt: str = ""
    stack: tuple[tuple[HostAdapter, float], ...] = ()
    seed: int
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    style: PromptStyle = PLAIN
    clip_skip: int = 0
    picture: Picture | None = None
    original_size: tuple[int, int] | None = None
    crop_top_left: tuple[int, int] = (0, 0)
    target_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        assert self.picture is None or self.picture.size == (self.width, self.height)

    @property
    def stack_key(self) -> StackKey:
        """What of the stack changes weights: rows of one key can share a merged copy."""
        return stack_key(self.stack)

    @property
    def is_merged_only(self) -> bool:
        """Say whether a part of the stack is not low-rank."""
        return any(adapter.is_merged_only for adapter, _ in self.stack)

    @property
    def time_ids(self) -> tuple[int, ...]:
        """What SDXL is told of sizes, heights before widths as it was trained."""
        own = (self.width, self.height)
        original, target = self.original_size or own, self.target_size or own
        return (original[1], original[0], *self.crop_top_left, target[1], target[0])

    @property
    def is_guided(self) -> bool:
        """Say whether the row needs an unconditional sample beside its own."""
        return self.guidance_scale > 1.0
