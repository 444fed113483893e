# SPDX-License-Identifier: Apache-2.0
"""Schedulers of one base: each row its own, in as many steps as the sampler can take."""

from typing import Any

import diffusers
import pytest
import torch

from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine_port.errors import RowNotPossible, SamplerNotServed
from tabard_server.engine_port.samplers import SAMPLERS
from tests.oracle import SCHEDULERS
from tests.server.engine.tiny_base import skip_if_absent

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture(scope="module")
def prototypes() -> SamplerPrototypes:
    return SamplerPrototypes(BETAS)


@pytest.fixture(scope="module")
def zero_snr() -> SamplerPrototypes:
    return SamplerPrototypes(
        {**BETAS, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    )


def test_zero_snr_leaves_out_who_does_not_heed_it(zero_snr: SamplerPrototypes) -> None:
    """On a base trained down to pure noise, a sampler that would ignore that is refused."""
    with pytest.raises(SamplerNotServed, match="zero terminal SNR"):
        zero_snr.take("lms", num_inference_steps=10, seed=0)

    assert {"ddim", "euler", "euler_a", "dpmpp_2m", "unipc", "lcm"} <= set(zero_snr.names)


def test_impossible_steps_are_refused(prototypes: SamplerPrototypes) -> None:
    """A sampler that was distilled for a few steps cannot take hundreds."""
    with pytest.raises(RowNotPossible) as caught:
        prototypes.take("lcm", num_inference_steps=400, seed=0)

    assert caught.value.reason == "STEPS_NOT_POSSIBLE"


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_few_steps_end_or_are_refused(prototypes: SamplerPrototypes, name: str, steps: int) -> None:
    """However few steps are asked for, a sampler walks to finite latents or says it cannot."""
    skip_if_absent(name)
    try:
        scheduler = prototypes.take(name, num_inference_steps=steps, seed=0)
    except RowNotPossible:
        return
    options = prototypes.step_options(name, generator=torch.Generator().manual_seed(0))
    latents = torch.zeros(1, 4, 2, 2, dtype=torch.float64) * scheduler.init_noise_sigma

    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(scaled * 0.1, timestep, latents, return_dict=False, **options)[0]

    assert bool(torch.isfinite(latents).all())


def test_rows_own_their_schedulers(prototypes: SamplerPrototypes) -> None:
    """Two rows of one sampler share no state."""
    one = prototypes.take("pndm", num_inference_steps=5, seed=0)
    two = prototypes.take("pndm", num_inference_steps=5, seed=0)

    one.step(torch.ones(1), one.timesteps[0], torch.ones(1))

    assert (one.counter, two.counter) == (1, 0)


@pytest.mark.parametrize("name", ["ddim", "euler", "euler_a", "dpmpp_2m_karras", "unipc", "lcm"])
def test_walk_equals_diffusers(prototypes: SamplerPrototypes, name: str) -> None:
    """A copy of a built scheduler walks as one that diffusers builds for the purpose."""
    ours = prototypes.take(name, num_inference_steps=4, seed=0)
    scheduler, options = SCHEDULERS[name]
    theirs = getattr(diffusers, scheduler).from_config(BETAS, **options)
    theirs.set_timesteps(4)

    walks = [_walk(one, prototypes, name=name) for one in (ours, theirs)]

    assert torch.equal(ours.timesteps, theirs.timesteps)
    torch.testing.assert_close(*walks, rtol=0, atol=0)


def _walk(scheduler: Any, prototypes: SamplerPrototypes, *, name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    options = prototypes.step_options(name, generator=generator)
    latents = torch.ones(1, 4, 2, 2) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        said = scheduler.scale_model_input(latents, timestep) * 0.1
        latents = scheduler.step(said, timestep, latents, return_dict=False, **options)[0]
    return latents


def test_step_gets_what_diffusers_passes(prototypes: SamplerPrototypes) -> None:
    """`eta` and `generator` where the sampler has such, and nothing that it does not know."""
    asked = {name: prototypes.step_options(name, generator=1) for name in ("ddim", "euler", "lms")}

    assert asked == {"ddim": {"eta": 0.0, "generator": 1}, "euler": {"generator": 1}, "lms": {}}


def test_private_noise_has_the_rows_seed(prototypes: SamplerPrototypes) -> None:
    """A sampler that draws its noise by itself draws it from the seed of its row."""
    skip_if_absent("dpmpp_sde")

    seeds = [
        prototypes.take("dpmpp_sde", num_inference_steps=2, seed=seed).noise_sampler_seed
        for seed in (5, 6)
    ]

    assert seeds == [5, 6]
