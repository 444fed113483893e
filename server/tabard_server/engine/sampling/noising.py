# SPDX-License-Identifier: Apache-2.0
"""What schedulers of noise schedules and of flows call differently, said in one way.

In: one of diffusers' schedulers, and latents. Out: latents as noisy as a step begins with, or as
the model is shown them. A flow mixes a picture and noise in shares that add up to one, so that
nothing of it is scaled.
"""

from typing import Any

import torch


def first_scale(scheduler: Any) -> Any:
    """Return what noise is multiplied with to begin a walk: a number, or a tensor of one."""
    return getattr(scheduler, "init_noise_sigma", 1.0)


def shown(scheduler: Any, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """Return latents as the model is shown them at a timestep."""
    if not hasattr(scheduler, "scale_model_input"):
        return latents
    scaled: torch.Tensor = scheduler.scale_model_input(latents, timestep)
    return scaled


def make_noisy(
    scheduler: Any, original: torch.Tensor, *, noise: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """Return a picture's latents as noisy as the step of a timestep begins with.

    Args:
        scheduler: Before its first step, or between two.
        original: Latents of the picture.
        noise: Of the same shape.
        timestep: `[1]`: that of the step to come.
    """
    if hasattr(scheduler, "scale_noise"):
        noisy: torch.Tensor = scheduler.scale_noise(original, timestep, noise)
    else:
        noisy = scheduler.add_noise(original, noise, timestep)
    return noisy
