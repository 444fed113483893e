# SPDX-License-Identifier: Apache-2.0
"""What schedulers of noise schedules and of flows call differently."""

import diffusers
import torch

from tabard_server.engine.sampling.noising import first_scale, make_noisy, shown
from tests.server.engine.sampling.known_courses import SHAPE, normal


def test_flow_scales_nothing() -> None:
    """It begins with noise as it is drawn, and shows latents as they are."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(4)
    latents = normal(*SHAPE, seed=1)

    assert first_scale(scheduler) == 1.0
    assert shown(scheduler, latents, scheduler.timesteps[0]) is latents


def test_noise_schedule_scales_as_diffusers() -> None:
    """By its own numbers."""
    scheduler = diffusers.EulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    latents, first = normal(*SHAPE, seed=1), scheduler.timesteps[0]
    other = diffusers.EulerDiscreteScheduler()
    other.set_timesteps(4)

    assert first_scale(scheduler) == scheduler.init_noise_sigma > 1
    assert torch.equal(shown(scheduler, latents, first), other.scale_model_input(latents, first))


def test_flows_mix_and_noise_schedules_add() -> None:
    """A flow's shares of picture and noise add up to one, by whichever scheduler it is walked."""
    picture, noise = normal(*SHAPE, seed=1), normal(*SHAPE, seed=2)
    euler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    solver = diffusers.DPMSolverMultistepScheduler(
        use_flow_sigmas=True, flow_shift=3.0, prediction_type="flow_prediction"
    )
    plain = diffusers.DDIMScheduler()
    for scheduler in (euler, solver, plain):
        scheduler.set_timesteps(4)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(2)
        found = make_noisy(scheduler, picture, noise=noise, timestep=scheduler.timesteps[2:3])
        if scheduler is plain:
            step = scheduler.timesteps[2:3]
            assert torch.equal(found, scheduler.add_noise(picture, noise, step))
        else:
            share = float(scheduler.sigmas[2])
            torch.testing.assert_close(found, (1 - share) * picture + share * noise)
