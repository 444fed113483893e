# SPDX-License-Identifier: Apache-2.0
"""Schedulers of one base: each row its own, in as many steps as the sampler can take."""

from typing import Any

import diffusers
import pytest
import torch

from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine_port.errors import RowNotPossible, SamplerNotServed
from tabard_server.engine_port.samplers import SAMPLERS
from tabard_server.engine_port.walk import (
    SCHEDULES,
    SPACING,
    TIMESTEP_SPACINGS,
    WARP,
    Walk,
)
from tests.oracle import SCHEDULERS, scheduler_options
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


WALKS = (
    *(Walk(timestep_spacing=spacing) for spacing in TIMESTEP_SPACINGS),
    *(Walk(schedule=schedule) for schedule in SCHEDULES),
    Walk(schedule="karras", timestep_spacing="trailing"),
    Walk(schedule="beta", timestep_spacing="leading"),
)


def _can(name: str, walk: Walk) -> bool:
    """Say whether a sampler can be walked so."""
    sampler = SAMPLERS[name]
    is_bent = bool(walk.schedule and SCHEDULES[walk.schedule].warp)
    return (SPACING in sampler.abilities and (WARP in sampler.abilities or not is_bent)) and (
        not sampler.schedule or walk.schedule in ("", sampler.schedule)
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("ddim", "euler", "unipc") else pytest.mark.oracle)
        for name in sorted(SAMPLERS)
    ],
)
def test_told_walk_equals_diffusers(prototypes: SamplerPrototypes, name: str) -> None:
    """A copy that is told of its steps walks as a scheduler that diffusers builds with them."""
    skip_if_absent(name)
    for walk in (one for one in WALKS if _can(name, one)):
        ours = prototypes.take(name, num_inference_steps=5, seed=0, walk=walk)
        scheduler, options = scheduler_options(
            name, schedule=walk.schedule, timestep_spacing=walk.timestep_spacing
        )
        theirs = getattr(diffusers, scheduler).from_config(BETAS, **options)
        theirs.set_timesteps(5)
        if hasattr(theirs, "noise_sampler_seed"):
            theirs.noise_sampler_seed = 0

        walks = [_walk(one, prototypes, name=name) for one in (ours, theirs)]

        assert torch.equal(ours.timesteps, theirs.timesteps), walk
        torch.testing.assert_close(*walks, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "walk"),
    [
        (name, walk)
        for name in ("euler", "heun", "dpmpp_2m", "dpmpp_2m_sde", "lcm", "tcd")
        for walk in (Walk(timesteps=(999, 759, 299)), Walk(sigmas=(14.6, 2.5, 0.4, 0.0)))
        if not walk.sigmas or name == "euler"
    ],
)
def test_listed_steps_equal_diffusers(prototypes: SamplerPrototypes, name: str, walk: Walk) -> None:
    """Steps that are named one by one are those that diffusers takes."""
    ours = prototypes.take(name, num_inference_steps=3, seed=0, walk=walk)
    scheduler, options = SCHEDULERS[name]
    theirs = getattr(diffusers, scheduler).from_config(BETAS, **options)
    if walk.sigmas:
        theirs.set_timesteps(sigmas=list(walk.sigmas))
    else:
        theirs.set_timesteps(timesteps=list(walk.timesteps))

    walks = [_walk(one, prototypes, name=name) for one in (ours, theirs)]

    assert torch.equal(ours.timesteps, theirs.timesteps)
    torch.testing.assert_close(*walks, rtol=0, atol=0)


def test_told_walk_leaves_the_next_row_alone(prototypes: SamplerPrototypes) -> None:
    """What one row asks of its scheduler, no other row has."""
    before = prototypes.take("euler", num_inference_steps=4, seed=0)

    told = prototypes.take(
        "euler", num_inference_steps=4, seed=0, walk=Walk(timestep_spacing="trailing")
    )

    after = prototypes.take("euler", num_inference_steps=4, seed=0)
    assert torch.equal(before.timesteps, after.timesteps)
    assert told.timesteps.tolist() == [999, 749, 499, 249]


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
    assert prototypes.step_options("tcd", generator=1, eta=0.3)["eta"] == 0.3


def test_private_noise_has_the_rows_seed(prototypes: SamplerPrototypes) -> None:
    """A sampler that draws its noise by itself draws it from the seed of its row."""
    skip_if_absent("dpmpp_sde")

    seeds = [
        prototypes.take("dpmpp_sde", num_inference_steps=2, seed=seed).noise_sampler_seed
        for seed in (5, 6)
    ]

    assert seeds == [5, 6]


def test_sampler_is_built_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, however many rows take it: all of them together cost half of a start."""
    built = []

    def build(kind: type, *told: Any, **options: Any) -> Any:
        built.append(kind.__name__)
        return kind(*told, **options)

    monkeypatch.setattr(
        diffusers.DDIMScheduler,
        "from_config",
        classmethod(lambda kind, config, **options: build(kind, **config, **options)),
    )
    prototypes = SamplerPrototypes(BETAS)
    prototypes.check("dpm2_karras")
    assert {"ddim", "dpm2_karras"} <= {*prototypes.names}
    assert built == []

    for seed in range(3):
        prototypes.take("ddim", num_inference_steps=4, seed=seed)

    assert built == ["DDIMScheduler"]
