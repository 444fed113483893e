# SPDX-License-Identifier: Apache-2.0
"""Where a row's latents come from: pure noise, a picture to redraw, or a picture with a mask.

In: the drawing and the row's scheduler, generator and VAE. Out: the first latents, the timesteps
that are left, and what keeps the unmasked part. Draws as diffusers draws, number for number.
Knows nothing of adapters or batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from torch.nn import functional

from tabard_server.engine.sampling.noising import first_scale, make_noisy
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine_port.drawing import Drawing, Pixels
from tabard_server.engine_port.errors import RowNotPossible


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """The part of a picture that stays.

    Attributes:
        original: Latents of the picture, `[1, channels, h, w]`.
        noise: The noise the row began with, of the same shape.
        redrawn: 1 where something new is drawn, else 0; `[1, 1, h, w]`.
    """

    original: torch.Tensor
    noise: torch.Tensor
    redrawn: torch.Tensor

    def put_back(
        self, latents: torch.Tensor, *, scheduler: Any, next_timestep: torch.Tensor | None
    ) -> torch.Tensor:
        """Return latents whose kept part is the picture, as noisy as the next step expects.

        Args:
            latents: After a step.
            scheduler: The row's.
            next_timestep: None after the last step.
        """
        kept = self.original
        if next_timestep is not None:
            kept = make_noisy(scheduler, kept, noise=self.noise, timestep=next_timestep.reshape(1))
        return (1 - self.redrawn) * kept + self.redrawn * latents


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrawRule:
    """Where diffusers' pipelines begin over a picture; each family's own do it in its own way.

    Attributes:
        rounds_up: Whether a step of which only a share is left by the strength is taken.
        begins_with_noise: Whether a mask at strength 1 begins with nothing but noise, however
            little of the picture the first step of the schedule would leave.
    """

    rounds_up: bool = False
    begins_with_noise: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLatents:
    """The first latents, the timesteps that are left, and the kept part if there is one."""

    latents: torch.Tensor
    timesteps: torch.Tensor
    kept_part: KeptPart | None = None


def draw_first_latents(
    drawing: Drawing,
    *,
    scheduler: Any,
    generator: torch.Generator,
    space: LatentSpace,
    rule: RedrawRule,
) -> FirstLatents:
    """Draw noise, over the drawing's picture if it has one, and note what of that shall stay.

    Args:
        drawing: What is drawn.
        scheduler: Ready for its first step.
        generator: The row's own.
        space: Where latents live.
        rule: Where the family's pipelines begin over a picture.

    Raises:
        RowNotPossible: So little is redrawn that no step is left.
    """
    if drawing.picture is None:
        return _from_noise(drawing, scheduler=scheduler, generator=generator, space=space)
    return _over_picture(drawing, scheduler=scheduler, generator=generator, space=space, rule=rule)


def _from_noise(
    drawing: Drawing, *, scheduler: Any, generator: torch.Generator, space: LatentSpace
) -> FirstLatents:
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    noise = _noise(drawing, generator=generator, space=space)
    return FirstLatents(latents=noise * first_scale(scheduler), timesteps=scheduler.timesteps)


def _over_picture(
    drawing: Drawing,
    *,
    scheduler: Any,
    generator: torch.Generator,
    space: LatentSpace,
    rule: RedrawRule,
) -> FirstLatents:
    picture, strength = drawing.picture, drawing.strength
    assert picture is not None and strength is not None, "there is nothing to draw over"
    timesteps = _timesteps_left(scheduler, steps=drawing.steps, strength=strength, rule=rule)
    original = space.encode(_to_unit(picture.pixels), generator=generator)
    noise = _noise(drawing, generator=generator, space=space)
    if picture.mask is not None and strength == 1.0 and rule.begins_with_noise:
        latents = noise * first_scale(scheduler)
    else:
        latents = make_noisy(scheduler, original, noise=noise, timestep=timesteps[:1])
    kept_part = None
    if picture.mask is not None:
        # diffusers encodes the masked picture too and, for these bases, uses only the draw.
        space.pass_over(generator, width=drawing.width, height=drawing.height)
        redrawn = _at_latents(picture.mask, like=noise)
        kept_part = KeptPart(original=original, noise=noise, redrawn=redrawn)
    return FirstLatents(latents=latents, timesteps=timesteps, kept_part=kept_part)


def _timesteps_left(
    scheduler: Any, *, steps: int, strength: float, rule: RedrawRule
) -> torch.Tensor:
    if rule.rounds_up:
        done = int(max(steps - min(steps * strength, steps), 0))
    else:
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


def _noise(drawing: Drawing, *, generator: torch.Generator, space: LatentSpace) -> torch.Tensor:
    noise: torch.Tensor = randn_tensor(
        space.shape(width=drawing.width, height=drawing.height),
        generator=generator,
        device=space.device,
        dtype=space.dtype,
    )
    return noise


def _to_unit(pixels: Pixels) -> torch.Tensor:
    """Map uint8 `[h, w, 3]` to `[1, 3, h, w]` in [-1, 1], in float32 as diffusers does."""
    unit = torch.from_numpy(pixels.astype(np.float32) / 255.0)
    return (2.0 * unit - 1.0).permute(2, 0, 1)[None]


def _at_latents(mask: Pixels, *, like: torch.Tensor) -> torch.Tensor:
    whole = torch.from_numpy((mask >= 128).astype(np.float32))[None, None]
    return functional.interpolate(whole, size=like.shape[-2:]).to(like)
