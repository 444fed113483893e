# SPDX-License-Identifier: Apache-2.0
"""Samplers of flow bases: the tables, the draws and the refusals, against diffusers' own."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from tabard_server.engine.base.schedules.flow_schedule import make_flow_scheduler
from tabard_server.engine.sampling.courses import StepCourse, TableCourse
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.schedule_table import ScheduleTable, make_table
from tabard_server.engine.sampling.table_batch import sit_together
from tabard_server.engine_port.errors import RowNotPossible, SamplerNotServed
from tabard_server.engine_port.samplers import FLOW_SAMPLERS, SAMPLERS
from tabard_server.engine_port.walk import SCHEDULES, SIGMAS, WARP, Walk
from tests.oracle import step_in_double_precision
from tests.server.engine.sampling.flows.known_flows import (
    FLUX_DEV,
    FLUX_SCHNELL,
    SD35,
    SIZED,
    STOCHASTIC,
    THEIRS,
    their_scheduler,
    their_steps,
)
from tests.server.engine.sampling.known_courses import (
    AHEAD,
    SHAPE,
    begin,
    normal,
    said_to,
    walk_alone,
)
from tests.server.engine.sampling.launches import counting

EXACT, MIXED = 1e-12, 1e-9
LAUNCHES_MAX = 8
Known = tuple[dict[str, Any], bool, int | None]
KNOWN: dict[str, Known] = {
    "sd35": (SD35, False, None),
    "sd3 by size": (FLUX_DEV, False, 1024),
    "dev small": (FLUX_DEV, True, 64),
    "dev large": (FLUX_DEV, True, 4096),
    "schnell": (FLUX_SCHNELL, True, None),
    "stochastic": (STOCHASTIC, False, None),
}
CASES = [
    (base, name)
    for base, (config, is_linear, tokens) in KNOWN.items()
    for name in THEIRS
    if name in SIZED or not (tokens or is_linear)
]


def samplers_of(base: str) -> SamplerPrototypes:
    """Return the samplers of a base, as an engine has them."""
    config, is_linear, _ = KNOWN[base]
    settled = dict(make_flow_scheduler(config, source="x").config)
    return SamplerPrototypes(settled, has_linear_sigmas=is_linear)


def table_of(
    base: str,
    name: str,
    *,
    steps: int,
    skipped: int = 0,
    walk: Walk | None = None,
    dtype: torch.dtype = torch.float64,
) -> ScheduleTable:
    samplers = samplers_of(base)
    scheduler = samplers.take(
        name,
        num_inference_steps=steps,
        seed=0,
        walk=walk or Walk(),
        image_tokens=KNOWN[base][2],
    )
    first = skipped * scheduler.order
    scheduler.set_begin_index(first)
    return make_table(
        scheduler,
        timesteps=scheduler.timesteps[first:],
        step_options=samplers.step_options(name, generator=None),
        dtype=dtype,
        has_kept_part=True,
    )


def assert_table_equals(table: ScheduleTable, scheduler: Any, timesteps: torch.Tensor) -> None:
    """Hold every step of a table to diffusers' own, in double precision."""
    step_in_double_precision(scheduler)
    ours, theirs = (torch.Generator().manual_seed(4) for _ in range(2))
    draws = "generator" in inspect.signature(scheduler.step).parameters
    options = {"generator": theirs} if draws else {}
    picture, noise = normal(*SHAPE, seed=2), normal(*SHAPE, seed=3)
    latents = normal(*SHAPE, seed=1)
    values = torch.zeros(table.values, latents.numel(), dtype=torch.float64)
    values[0] = latents.flatten()

    assert table.timesteps.tolist() == timesteps.float().tolist()
    for number, timestep in enumerate(timesteps):
        assert table.input_scales[number] == 1.0
        said = normal(*SHAPE, seed=10 + number) + 0.3 * latents
        latents = scheduler.step(said, timestep, latents, return_dict=False, **options)[0]
        drawn = torch.zeros(SHAPE)
        if (dtype := table.noise_dtypes[number]) is not None:
            drawn = torch.randn(SHAPE, generator=ours, dtype=dtype)
        told = torch.cat([values, said.view(1, -1), drawn.double().view(1, -1)])
        values = table.coefficients[number] @ told
        assert_equal(values[0].view(SHAPE), latents)
        kept = picture
        if number + 1 < len(timesteps):
            add = getattr(scheduler, "scale_noise", None)
            following = timesteps[number + 1 : number + 2]
            kept = (
                add(picture, following, noise)
                if add
                else scheduler.add_noise(picture, noise, following)
            )
        assert_equal(table.kept[number, 0] * picture + table.kept[number, 1] * noise, kept)
    assert torch.equal(ours.get_state(), theirs.get_state())


def assert_equal(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert (found - expected).abs().max() <= EXACT * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("skipped", [0, 3])
@pytest.mark.parametrize(("base", "name"), CASES)
def test_table_equals_diffusers(base: str, name: str, skipped: int) -> None:
    """Latents, kept parts and noise from any first step, as the base's own pipeline walks."""
    config, is_linear, tokens = KNOWN[base]
    scheduler = their_scheduler(config, name)
    timesteps = their_steps(scheduler, steps=9, tokens=tokens, has_linear_sigmas=is_linear)
    first = skipped * scheduler.order
    scheduler.set_begin_index(first)

    table = table_of(base, name, steps=9, skipped=skipped)

    assert_table_equals(table, scheduler, timesteps[first:])


@pytest.mark.parametrize("schedule", ["karras", "exponential", "beta"])
@pytest.mark.parametrize("name", ["euler", "lcm"])
@pytest.mark.parametrize("base", ["sd35", "dev large"])
def test_bent_table_equals_diffusers(base: str, name: str, schedule: str) -> None:
    """Schedules that bend sigmas, where diffusers bends those of a flow."""
    config, is_linear, tokens = KNOWN[base]
    scheduler = their_scheduler(config, name, **{f"use_{schedule}_sigmas": True})
    timesteps = their_steps(scheduler, steps=6, tokens=tokens, has_linear_sigmas=is_linear)
    scheduler.set_begin_index(0)

    table = table_of(base, name, steps=6, walk=Walk(schedule=schedule))

    assert_table_equals(table, scheduler, timesteps)


@pytest.mark.parametrize("name", ["euler", "lcm", "unipc"])
@pytest.mark.parametrize("base", ["sd35", "dev small", "schnell"])
def test_listed_sigmas_equal_diffusers(base: str, name: str) -> None:
    """Sigmas that are named are shifted as diffusers does; the last one, 0, it adds itself."""
    config, _, tokens = KNOWN[base]
    scheduler = their_scheduler(config, name)
    told = {"mu": calculate_shift(tokens, 256, 4096, 0.5, 1.15)} if tokens else {}
    # One of them multiplies what it is given, which a list cannot be.
    scheduler.set_timesteps(sigmas=np.array([1.0, 0.7, 0.2]), **told)
    scheduler.set_begin_index(0)

    table = table_of(base, name, steps=3, walk=Walk(sigmas=(1.0, 0.7, 0.2, 0.0)))

    assert_table_equals(table, scheduler, scheduler.timesteps)


@pytest.mark.parametrize(
    ("base", "name"), [("sd35", "lcm"), ("stochastic", "euler"), ("sd35", "dpmpp_2m_sde")]
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_noise_has_the_dtype_of_diffusers(base: str, name: str, dtype: torch.dtype) -> None:
    """As it draws when it is left as it is: never in half precision, and LCM alone in double."""
    scheduler = their_scheduler(KNOWN[base][0], name)
    timesteps = their_steps(scheduler, steps=4)
    ours, theirs = (torch.Generator().manual_seed(4) for _ in range(2))
    table = table_of(base, name, steps=4, dtype=dtype)

    latents = normal(*SHAPE, seed=1).to(dtype)
    for timestep in timesteps:
        latents = scheduler.step(latents, timestep, latents, generator=theirs, return_dict=False)[0]
    for drawn in table.noise_dtypes:
        assert drawn == (
            torch.float64 if (name, dtype) == ("lcm", torch.float64) else torch.float32
        )
        torch.randn(SHAPE, generator=ours, dtype=drawn)

    assert torch.equal(ours.get_state(), theirs.get_state())


def test_mixed_rows_move_as_alone() -> None:
    """Samplers, steps, sizes, windows and masks in one batch, each as by diffusers' own `step`."""
    rows: list[tuple[TableCourse | StepCourse, TableCourse | StepCourse, int]] = []
    for number, (base, name) in enumerate(CASES):
        said: dict[str, Any] = {
            "steps": 4 + number % 4,
            "skipped": number % 3,
            "guidance_scale": (1.0, 3.5)[number % 2],
            "is_kept": number % 4 == 1,
            "seed": number,
            "image_tokens": KNOWN[base][2],
        }
        samplers = samplers_of(base)
        ours = begin(samplers, name, **said)
        rows.append((ours, begin(samplers, name, by_steps=True, **said), number))
    theirs = {id(ours): walk_alone(other, seed=seed) for ours, other, seed in rows}  # type: ignore[arg-type]

    while pending := [(one, seed) for one, _, seed in rows if one.steps_done < one.steps_total]:
        courses = PassCourses([one for one, _ in pending], ahead=AHEAD)
        shown, told = courses.model_input(), courses.timesteps()
        assert told.dtype == torch.float32 and float(told.min()) > 0 and float(told.max()) <= 1000
        assert len(shown) == len(told)
        courses.advance_tables(torch.cat([said_to(one, seed=seed) for one, seed in pending]))

    assert len({float(one.table.timesteps[1]) for one, _, _ in rows}) > 20  # type: ignore[union-attr]
    for ours, _, _ in rows:
        torch.testing.assert_close(ours.latents, theirs[id(ours)], rtol=MIXED, atol=MIXED)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_step_has_few_launches(dtype: torch.dtype) -> None:
    """All of them together on a device, with masks and guidance, as few as any mix."""
    courses = [
        begin(
            samplers_of(base),
            name,
            is_kept=number % 3 == 0,
            guidance_scale=(1.0, 3.5)[number % 2],
            image_tokens=KNOWN[base][2],
            dtype=dtype,
            device="meta",
        )
        for number, (base, name) in enumerate(CASES)
    ]
    batch = sit_together([one for one in courses if isinstance(one, TableCourse)], ahead=AHEAD)
    said = torch.empty(len(batch.timesteps()), *SHAPE[1:], dtype=dtype, device="meta")

    with torch.inference_mode(), counting() as launched:
        batch.model_input()
        batch.timesteps()
        batch.advance(said)

    assert len(batch.courses) == len(CASES)
    assert "bmm" in launched and len(launched) <= LAUNCHES_MAX, launched


def test_table_is_kept_by_size() -> None:
    """Two sizes are two tables where the schedule looks at them, else one."""
    sized, plain = samplers_of("dev large"), samplers_of("sd35")

    def tables(samplers: SamplerPrototypes) -> list[ScheduleTable]:
        found = []
        for tokens in (256, 4096, 256):
            course = begin(samplers, "euler", image_tokens=tokens)
            assert isinstance(course, TableCourse)
            found.append(course.table)
        return found

    small, large, again = tables(sized)
    assert small is again and not torch.equal(small.timesteps, large.timesteps)
    assert len({id(one) for one in tables(plain)}) == 1


def test_every_flow_sampler_is_a_known_name() -> None:
    """The same names as on a noise schedule, so that nobody learns others; all are tables."""
    assert FLOW_SAMPLERS.keys() == THEIRS.keys() < SAMPLERS.keys()
    assert {one.scheduler for one in FLOW_SAMPLERS.values()} == {one for one, _ in THEIRS.values()}
    assert samplers_of("sd35").names == tuple(FLOW_SAMPLERS)


@pytest.mark.parametrize("base", ["dev large", "schnell"])
def test_heun_is_refused_where_it_cannot_follow(base: str) -> None:
    """Heun of flows is told neither the size nor a list of sigmas."""
    samplers = samplers_of(base)

    assert samplers.names == SIZED
    with pytest.raises(SamplerNotServed, match=r"size of the picture|list of sigmas"):
        samplers.check("heun")


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - FLOW_SAMPLERS.keys()))
def test_sampler_of_noise_is_refused_with_another(name: str) -> None:
    """By its name, with one to take instead that does draw there."""
    for base in ("sd35", "dev large"):
        samplers = samplers_of(base)
        with pytest.raises(SamplerNotServed, match=f"{name} cannot draw on this base") as caught:
            samplers.take(name, num_inference_steps=4, seed=0)
        near = caught.value.hint.split(",")[0].removeprefix("take ")
        assert near in samplers.names or caught.value.hint.startswith("choose one of")


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize(("base", "name"), CASES)
def test_few_steps_end_or_are_refused(base: str, name: str, steps: int) -> None:
    """However few steps are asked for, the numbers are finite, or it is said."""
    try:
        table = table_of(base, name, steps=steps)
    except RowNotPossible:
        return

    assert bool(torch.isfinite(table.coefficients).all())


@pytest.mark.parametrize("entry", ["use_karras_sigmas", "shift_terminal", "linear"])
def test_schedule_that_is_not_heeded_is_refused(entry: str) -> None:
    """What shapes the base's own schedule shapes every walk, or the sampler is left out."""
    own: dict[str, Any] = {
        "use_karras_sigmas": {**SD35, "use_karras_sigmas": True},
        "shift_terminal": {**SD35, "shift_terminal": 0.1},
        "linear": {**FLUX_DEV, "time_shift_type": "linear"},
    }[entry]
    names = SamplerPrototypes(make_flow_scheduler(own, source="x").config).names

    assert {"euler", "lcm"} <= {*names}
    assert not {"dpmpp_2m", "dpmpp_2m_sde", "heun"} & {*names}
    assert ("unipc" in names) == (entry != "use_karras_sigmas")


def test_abilities_are_those_that_diffusers_walks() -> None:
    """What can be said with a sampler: lists where it takes them, bends where a flow is bent."""
    taken = {one.scheduler: one.abilities for one in FLOW_SAMPLERS.values()}

    assert {kind for kind, able in taken.items() if WARP in able} == {
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchLCMScheduler",
    }
    for name, one in FLOW_SAMPLERS.items():
        if SIGMAS in one.abilities:
            assert table_of("sd35", name, steps=1, walk=Walk(sigmas=(0.5, 0.0))).steps == 1
        if WARP in one.abilities:
            for schedule in (word for word, said in SCHEDULES.items() if said.warp):
                table_of("sd35", name, steps=4, walk=Walk(schedule=schedule))
