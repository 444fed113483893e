# SPDX-License-Identifier: Apache-2.0
"""Tables of schedules: what diffusers' own schedulers make of unit vectors is what they make."""

from typing import Any

import pytest
import torch

from tabard_server.engine.sampling import schedule_table
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.schedule_table import (
    LINEAR,
    ScheduleTable,
    Tables,
    is_linear,
    make_table,
)
from tabard_server.engine_port.samplers import FLOW_SAMPLERS, SAMPLERS
from tabard_server.engine_port.walk import Walk
from tests.oracle import step_in_double_precision
from tests.server.engine.sampling.known_courses import CONFIG, SHAPE, normal

PRIVATE_NOISE = {"DPMSolverSDEScheduler"}
TABLED = sorted(name for name, one in SAMPLERS.items() if one.scheduler in LINEAR)


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def samplers(request: pytest.FixtureRequest) -> SamplerPrototypes:
    return SamplerPrototypes({**CONFIG, "prediction_type": request.param})


def _taken(samplers: SamplerPrototypes, name: str, *, steps: int, skipped: int, walk: Walk) -> Any:
    scheduler = samplers.take(name, num_inference_steps=steps, seed=0, walk=walk)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped * scheduler.order)
    return scheduler


def _table(
    samplers: SamplerPrototypes,
    name: str,
    *,
    steps: int,
    skipped: int = 0,
    walk: Walk | None = None,
    dtype: torch.dtype = torch.float64,
) -> ScheduleTable:
    walk = walk or Walk()
    scheduler = _taken(samplers, name, steps=steps, skipped=skipped, walk=walk)
    return make_table(
        scheduler,
        timesteps=scheduler.timesteps[skipped * scheduler.order :],
        step_options=samplers.step_options(name, generator=None, eta=walk.eta),
        dtype=dtype,
        has_kept_part=True,
    )


@pytest.mark.parametrize("skipped", [0, 3])
@pytest.mark.parametrize("name", TABLED)
def test_table_equals_diffusers(samplers: SamplerPrototypes, name: str, skipped: int) -> None:
    """Latents, inputs, kept parts and noise, from any first step, to 1e-12 of the largest value."""
    walk = Walk(eta=0.6) if "eta" in SAMPLERS[name].abilities else Walk()
    table = _table(samplers, name, steps=9, skipped=skipped, walk=walk)
    scheduler = _taken(samplers, name, steps=9, skipped=skipped, walk=walk)
    timesteps = scheduler.timesteps[skipped * scheduler.order :]
    step_in_double_precision(scheduler)
    ours, theirs = (torch.Generator().manual_seed(4) for _ in range(2))
    options = samplers.step_options(name, generator=theirs, eta=walk.eta)
    picture, noise = normal(*SHAPE, seed=2), normal(*SHAPE, seed=3)
    latents = normal(*SHAPE, seed=1) * scheduler.init_noise_sigma
    values = torch.zeros(table.values, latents.numel(), dtype=torch.float64)
    values[0] = latents.flatten()

    assert table.steps == len(timesteps)
    for number, timestep in enumerate(timesteps):
        shown = scheduler.scale_model_input(latents, timestep)
        _assert_equal(latents * table.input_scales[number], shown)
        said = normal(*SHAPE, seed=10 + number) + 0.3 * shown
        latents = scheduler.step(said, timestep, latents, return_dict=False, **options)[0]
        drawn = torch.zeros(SHAPE)
        if (dtype := table.noise_dtypes[number]) is not None:
            drawn = torch.randn(SHAPE, generator=ours, dtype=dtype)
        told = torch.cat([values, said.view(1, -1), drawn.double().view(1, -1)])
        values = table.coefficients[number] @ told
        _assert_equal(values[0].view(SHAPE), latents)
        kept = picture
        if number + 1 < len(timesteps):
            kept = scheduler.add_noise(picture, noise, timesteps[number + 1 : number + 2])
        _assert_equal(table.kept[number, 0] * picture + table.kept[number, 1] * noise, kept)
    assert torch.equal(ours.get_state(), theirs.get_state())


def _assert_equal(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert (found - expected).abs().max() <= 1e-12 * max(1.0, float(expected.abs().max()))


def test_all_but_private_noise_is_tabled(samplers: SamplerPrototypes) -> None:
    """Whichever sampler is served is a table, unless its noise is nobody else's."""
    served = {one.scheduler for one in (*SAMPLERS.values(), *FLOW_SAMPLERS.values())}
    assert served == LINEAR | PRIVATE_NOISE


@pytest.mark.parametrize("bend", ["clip_sample", "thresholding"])
@pytest.mark.parametrize("name", ["ddim", "lcm", "tcd"])
def test_what_looks_at_values_is_no_table(name: str, bend: str) -> None:
    """Clipped and thresholded walks are no sums."""
    samplers = SamplerPrototypes({**CONFIG, bend: True})

    assert not is_linear(samplers.take(name, num_inference_steps=4, seed=0))
    assert is_linear(SamplerPrototypes(CONFIG).take(name, num_inference_steps=4, seed=0))


def test_noise_has_the_dtype_of_diffusers(samplers: SamplerPrototypes) -> None:
    """Where it is drawn in that of the latents, in that; where in float32, always in float32."""
    drawn = {
        name: _table(samplers, name, steps=4, dtype=torch.bfloat16).noise_dtypes
        for name in ("euler_a", "dpmpp_2m_sde", "lcm", "euler")
    }

    assert drawn["euler_a"] == (torch.bfloat16,) * 4
    assert drawn["dpmpp_2m_sde"] == (torch.float32,) * 4
    assert drawn["lcm"] == (*(torch.bfloat16,) * 3, None)
    assert drawn["euler"] == (None,) * 4


@pytest.mark.parametrize(("name", "values"), [("ddim", 1), ("lms", 5), ("unipc", 4)])
def test_values_are_few(samplers: SamplerPrototypes, name: str, values: int) -> None:
    """The latents, and what the sampler keeps for later."""
    assert _table(samplers, name, steps=9).values == values


def test_equal_walks_have_one_table() -> None:
    """Of so many as are kept; the one asked for longest ago goes first."""
    tables, made = Tables(), []

    def ask(key: int) -> None:
        tables.of(key, make=lambda: made.append(key))  # type: ignore[arg-type, return-value]

    for key in [*range(schedule_table.TABLES_MAX), 0, -1, 0, 1]:
        ask(key)

    assert made == [*range(schedule_table.TABLES_MAX), -1, 1]
