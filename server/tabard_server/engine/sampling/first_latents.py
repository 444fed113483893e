# SPDX-License-Identifier: Apache-2.0
"""Where a row's latents come from: pure noise, a picture to redraw, or a picture with a hole.

In: the picture and the row's scheduler, generator and VAE. Out: the first latents, the timesteps
that are left, and what keeps the unmasked part. Draws as diffusers draws, number for number.
Knows nothing of prompts, adapters or batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from torch.nn import functional

from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine_port.errors import RowNotPossible
from tabard_server.engine_port.row_spec import Bytes, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The part of a picture that stays.

    Attributes:
        original: Latents of the picture.
        noise: The noise the row began with.
        hole: 1 where something new is drawn, else 0; `[1, 1, h, w]`.
    """

    original: torch.Tensor
    noise: torch.Tensor
    hole: torch.Tensor

    def put_around(
        self, latents: torch.Tensor, *, scheduler: Any, next_timestep: torch.Tensor | None
    ) -> torch.Tensor:
        """Return latents whose frame is the picture, as noisy as the next step expects.

        Args:
            latents: After a step.
            scheduler: The row's.
            next_timestep: None after the last step.
        """
        frame = self.original
        if next_timestep is not None:
            frame = scheduler.add_noise(frame, self.noise, next_timestep.reshape(1))
        return (1 - self.hole) * frame + self.hole * latents


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The first latents, the timesteps that are left, and the frame if there is one."""

    latents: torch.Tensor
    timesteps: torch.Tensor
    frame: Frame | None = None


def begin_from_noise(
    scheduler: Any,
    *,
    generator: torch.Generator,
    space: LatentSpace,
    width: int,
    height: int,
) -> Beginning:
    """Draw latents from nothing but noise."""
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    noise = _noise(space, generator=generator, width=width, height=height)
    return Beginning(latents=noise * scheduler.init_noise_sigma, timesteps=scheduler.timesteps)


def begin_from_picture(
    picture: Picture,
    *,
    scheduler: Any,
    steps: int,
    generator: torch.Generator,
    space: LatentSpace,
) -> Beginning:
    """Draw noise over a picture, and note what of it shall stay.

    Raises:
        RowNotPossible: So little is redrawn that no step is left.
    """
    timesteps = _timesteps_left(scheduler, steps=steps, strength=picture.strength)
    original = space.encode(_to_unit(picture.pixels), generator=generator)
    width, height = picture.size
    noise = _noise(space, generator=generator, width=width, height=height)
    if picture.mask is not None and picture.strength == 1.0:
        latents = noise * scheduler.init_noise_sigma
    else:
        latents = scheduler.add_noise(original, noise, timesteps[:1])
    frame = None
    if picture.mask is not None:
        # diffusers encodes the masked picture too and, for these bases, uses only the draw.
        space.pass_over(generator, width=width, height=height)
        hole = _hole(picture.mask, like=noise)
        frame = Frame(original=original, noise=noise, hole=hole)
    return Beginning(latents=latents, timesteps=timesteps, frame=frame)


def _timesteps_left(scheduler: Any, *, steps: int, strength: float) -> torch.Tensor:
    done = steps - min(int(steps * strength), steps)
    timesteps: torch.Tensor = scheduler.timesteps[done * scheduler.order :]
    if done >= steps or not len(timesteps):
        raise RowNotPossible(
            f"strength {strength:g} of {steps} steps leaves no step to take",
            reason="STRENGTH_TOO_SMALL",
            hint=f"use a strength of {1 / steps:.2f} or more, or more steps",
        )
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(done * scheduler.order)
    return timesteps


def _noise(
    space: LatentSpace, *, generator: torch.Generator, width: int, height: int
) -> torch.Tensor:
    noise: torch.Tensor = randn_tensor(
        space.shape(width=width, height=height),
        generator=generator,
        device=space.device,
        dtype=space.dtype,
    )
    return noise


def _to_unit(pixels: Bytes) -> torch.Tensor:
    """Map uint8 `[h, w, 3]` to `[1, 3, h, w]` in [-1, 1], in float32 as diffusers does."""
    unit = torch.from_numpy(pixels.astype(np.float32) / 255.0)
    return (2.0 * unit - 1.0).permute(2, 0, 1)[None]


def _hole(mask: Bytes, *, like: torch.Tensor) -> torch.Tensor:
    whole = torch.from_numpy((mask >= 128).astype(np.float32))[None, None]
    return functional.interpolate(whole, size=like.shape[-2:]).to(like)
