# SPDX-License-Identifier: Apache-2.0
"""Courses over latents of a few numbers, by a table and by diffusers' own `step`, from one seed.

In: what is drawn. Out: both courses, and what a model might say to them at a step.
"""

from typing import Any

import torch

from tabard_server.adapters.host_adapter import wide
from tabard_server.engine.sampling.courses import StepCourse, TableCourse, begin_course
from tabard_server.engine.sampling.first_latents import FirstLatents, KeptPart
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sampling.noising import first_scale
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.walk import Walk
from tests.oracle import step_in_double_precision
from tests.server.drawings import drawing

CONFIG = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "skip_prk_steps": True,
    "steps_offset": 1,
}
SHAPE = (1, 4, 3, 2)
AHEAD = NoiseAhead()
"""One thread draws for all, as in an engine: a generator is asked by nobody else meanwhile."""


def normal(*shape: int, seed: int) -> torch.Tensor:
    """Return noise in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def begin(
    samplers: SamplerPrototypes,
    name: str,
    *,
    by_steps: bool = False,
    steps: int = 6,
    walk: Walk | None = None,
    skipped: int = 0,
    guidance_scale: float = 4.0,
    is_kept: bool = False,
    shares: torch.Tensor | None = None,
    seed: int = 5,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
    image_tokens: int | None = None,
) -> TableCourse | StepCourse:
    """Begin a course.

    Args:
        samplers: Where its scheduler comes from.
        name: Its sampler.
        by_steps: By diffusers' own `step`, in double precision, even where there is a table.
        steps: Steps that are asked for.
        walk: How they lie.
        skipped: First steps that are left out, as for a picture that is redrawn.
        guidance_scale: 1: no guidance.
        is_kept: Whether a mask keeps a part.
        shares: Which part of each latent pixel is whose.
        seed: Of latents and noise.
        dtype: Of latents.
        device: Where they lie.
        image_tokens: Latent patches of the picture, for a schedule that looks at them.
    """
    walk = walk or Walk()
    parts = () if shares is None else shares[:, 0].numpy()
    drawn = drawing(
        sampler=name,
        steps=steps,
        walk=walk,
        guidance_scale=guidance_scale,
        regions=tuple(Region(name=f"{at}", shares=one, prompt="a") for at, one in enumerate(parts)),
    )
    scheduler = samplers.take(
        name, num_inference_steps=steps, seed=seed, walk=walk, image_tokens=image_tokens
    )
    first = skipped * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    options = samplers.step_options(
        name, generator=torch.Generator().manual_seed(seed), eta=walk.eta
    )
    told: dict[str, Any] = {
        "drawing": drawn,
        "first": FirstLatents(
            latents=(normal(*SHAPE, seed=seed) * first_scale(scheduler)).to(device, dtype),
            timesteps=scheduler.timesteps[first:],
            kept_part=_kept(seed, device, dtype) if is_kept else None,
        ),
        "shares": None if shares is None else shares.to(device, wide(dtype)),
        "step_options": options,
    }
    if by_steps:
        step_in_double_precision(scheduler)
        return StepCourse(scheduler, **told)
    tokens = image_tokens if samplers.looks_at_size else None
    return begin_course(scheduler, tables=samplers.tables, image_tokens=tokens, **told)


def _kept(seed: int, device: str, dtype: torch.dtype) -> KeptPart:
    return KeptPart(
        original=normal(*SHAPE, seed=seed + 1).to(device, dtype),
        noise=normal(*SHAPE, seed=seed + 2).to(device, dtype),
        redrawn=(normal(1, 1, *SHAPE[2:], seed=seed + 3) > 0).to(device, dtype),
    )


def said_to(course: TableCourse | StepCourse, *, seed: int) -> torch.Tensor:
    """Return what a model might say of the samples of a course at its step."""
    noise = normal(course.samples, *SHAPE[1:], seed=1000 * seed + course.steps_done)
    shown: torch.Tensor = course.scaled_latents()
    return (noise + 0.3 * shown.double()).to(shown.dtype)


def walk_alone(course: StepCourse, *, seed: int) -> torch.Tensor:
    """Walk to the end by diffusers' own `step`, and return the latents."""
    while course.steps_done < course.steps_total:
        course.advance(said_to(course, seed=seed))
    return course.latents
