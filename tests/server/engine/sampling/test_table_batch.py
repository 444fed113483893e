# SPDX-License-Identifier: Apache-2.0
"""Rows of any samplers that move in one product: each is what diffusers' own step makes of it."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from tabard_server.engine.sampling import table_batch
from tabard_server.engine.sampling.courses import StepCourse, TableCourse
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.table_batch import TableBatch, apply_tables, sit_together
from tabard_server.engine_port.samplers import SAMPLERS
from tabard_server.engine_port.walk import Walk
from tests.server.engine.sampling.known_courses import (
    AHEAD,
    CONFIG,
    SHAPE,
    begin,
    normal,
    said_to,
    walk_alone,
)
from tests.server.engine.sampling.launches import counting

LAUNCHES_MAX = 8
TABLED = sorted(name for name in SAMPLERS if not name.startswith("dpmpp_sde"))
HALVES = torch.tensor([[0.25, 1.0], [0.75, 0.0]], dtype=torch.float64)
SHARES = HALVES[:, None, None, :].expand(2, 1, *SHAPE[2:]).contiguous()
MIX: tuple[dict[str, Any], ...] = (
    {"name": "euler_a", "guidance_scale": 1.0},
    {"name": "unipc", "is_kept": True, "skipped": 2},
    {"name": "lms", "shares": SHARES},
    {"name": "dpmpp_2m_sde", "steps": 5},
    {"name": "heun", "is_kept": True, "steps": 4, "guidance_scale": 7.5},
    {"name": "ddim", "walk": Walk(eta=0.4), "shares": SHARES, "guidance_scale": 1.0},
    {"name": "pndm", "steps": 7},
    {"name": "lcm", "guidance_scale": 1.0},
)


@pytest.fixture(scope="module")
def samplers() -> SamplerPrototypes:
    return SamplerPrototypes(CONFIG)


def _mix(samplers: SamplerPrototypes, wanted: Sequence[dict[str, Any]]) -> list[TableCourse]:
    courses = [begin(samplers, seed=number, **one) for number, one in enumerate(wanted)]
    assert all(isinstance(course, TableCourse) for course in courses)
    return courses  # type: ignore[return-value]


def _alone(samplers: SamplerPrototypes, number: int, wanted: dict[str, Any]) -> torch.Tensor:
    course = begin(samplers, seed=number, by_steps=True, **wanted)
    assert isinstance(course, StepCourse)
    return walk_alone(course, seed=number)


def _step(courses: Sequence[TableCourse], *, seeds: Sequence[int]) -> TableBatch:
    """Take one step of courses, each of which hears what its seed says."""
    batch = sit_together(courses, ahead=AHEAD)
    said = [said_to(course, seed=seed) for course, seed in zip(courses, seeds, strict=True)]
    batch.advance(torch.cat(said))
    return batch


def _is_done(course: TableCourse) -> bool:
    return course.steps_done >= course.steps_total


def _assert_equal(found: torch.Tensor, expected: torch.Tensor, what: object) -> None:
    bound = 1e-12 * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound, what


@pytest.mark.parametrize("wanted", [MIX, [{"name": name} for name in TABLED]], ids=["mix", "all"])
def test_rows_together_equal_diffusers(
    samplers: SamplerPrototypes, wanted: Sequence[dict[str, Any]]
) -> None:
    """Of every sampler, with regions, masks, noise and guidance of their own, to their ends."""
    courses = _mix(samplers, wanted)

    while pending := [n for n, course in enumerate(courses) if not _is_done(course)]:
        _step([courses[n] for n in pending], seeds=pending)

    for number, (course, one) in enumerate(zip(courses, wanted, strict=True)):
        _assert_equal(course.latents, _alone(samplers, number, one), one)


def test_rows_join_and_leave(samplers: SamplerPrototypes) -> None:
    """In any order and with any neighbours; what a row was elsewhere goes with it."""
    courses = _mix(samplers, MIX)
    dice = torch.Generator().manual_seed(0)

    while pending := [n for n, course in enumerate(courses) if not _is_done(course)]:
        drawn = torch.randperm(len(pending), generator=dice)[: 1 + len(pending) // 2]
        chosen = [pending[n] for n in drawn.tolist()]
        _step([courses[n] for n in chosen], seeds=chosen)

    for number, (course, one) in enumerate(zip(courses, MIX, strict=True)):
        _assert_equal(course.latents, _alone(samplers, number, one), one)


def test_batch_stays_while_its_rows_do(samplers: SamplerPrototypes) -> None:
    """It is laid out anew when one joins, leaves or stands elsewhere, and at no other time."""
    one, two, three = _mix(samplers, [{"name": "ddim"}, {"name": "lms"}, {"name": "euler"}])

    first = _step([one, two], seeds=[0, 1])

    assert _step([one, two], seeds=[0, 1]) is first
    assert _step([two, one], seeds=[1, 0]) is not first
    joined = _step([one, two, three], seeds=[0, 1, 2])
    assert sit_together([one, two, three], ahead=AHEAD) is joined
    assert sit_together([two, three], ahead=AHEAD) is not joined


def test_row_that_was_elsewhere_is_laid_out_anew(samplers: SamplerPrototypes) -> None:
    """The rows are those of before, but one has moved without the others."""
    wanted: list[dict[str, Any]] = [{"name": "ddim"}, {"name": "lms"}]
    courses = _mix(samplers, wanted)
    first = _step(courses, seeds=[0, 1])
    _step(courses[1:], seeds=[1])

    assert _step(courses, seeds=[0, 1]) is not first
    while pending := [n for n, course in enumerate(courses) if not _is_done(course)]:
        _step([courses[n] for n in pending], seeds=pending)

    for number, (course, one) in enumerate(zip(courses, wanted, strict=True)):
        _assert_equal(course.latents, _alone(samplers, number, one), one)


def test_rows_of_two_sizes_take_turns(samplers: SamplerPrototypes) -> None:
    """A batch that did not move meanwhile is the same when its turn comes again."""
    courses = _mix(samplers, [{"name": name} for name in ("ddim", "lms", "euler", "heun")])

    batches = [_step(pair, seeds=[0, 1]) for _ in range(3) for pair in (courses[:2], courses[2:])]

    assert batches[::2] == batches[:1] * 3 and batches[1::2] == batches[1:2] * 3


@pytest.mark.parametrize("steps", [0, 2])
def test_what_is_shown_and_told(samplers: SamplerPrototypes, steps: int) -> None:
    """Each sample of a row sees its latents, scaled, and hears its timestep."""
    courses = _mix(samplers, MIX)
    for _ in range(steps):
        _step(courses, seeds=range(len(courses)))
    batch = sit_together(courses, ahead=AHEAD)

    shown, told = batch.model_input(), batch.timesteps()

    expected = [course.scaled_latents().expand(course.samples, -1, -1, -1) for course in courses]
    torch.testing.assert_close(shown, torch.cat(expected), rtol=1e-13, atol=1e-13)
    now = [(float(one.table.timesteps[steps]), one.samples) for one in courses]
    assert told.tolist() == [timestep for timestep, samples in now for _ in range(samples)]


@pytest.mark.parametrize("bad", [0, 1])
def test_nan_stays_in_its_row(samplers: SamplerPrototypes, bad: int) -> None:
    """Whatever a model says of one row, its neighbours do not hear."""
    courses = _mix(samplers, MIX)
    batch = sit_together(courses, ahead=AHEAD)
    said = torch.cat([said_to(course, seed=n) for n, course in enumerate(courses)])
    said[sum(course.samples for course in courses[:bad])] = float("nan")

    batch.advance(said)

    is_finite = [bool(torch.isfinite(course.latents).all()) for course in courses]
    assert is_finite == [number != bad for number in range(len(MIX))]


def test_step_that_failed_is_taken_again(
    samplers: SamplerPrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has moved, and the noise of the step is drawn once."""
    courses = _mix(samplers, MIX)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(table_batch, "apply_tables", full)
        with pytest.raises(torch.OutOfMemoryError):
            _step(courses, seeds=range(len(courses)))
    assert not any(course.steps_done for course in courses)
    while pending := [n for n, course in enumerate(courses) if not _is_done(course)]:
        _step([courses[n] for n in pending], seeds=pending)

    for number, (course, one) in enumerate(zip(courses, MIX, strict=True)):
        _assert_equal(course.latents, _alone(samplers, number, one), one)


def test_half_precision_is_kept_wide(samplers: SamplerPrototypes) -> None:
    """Between steps latents are float32; what the model is shown is of its dtype."""
    (course,) = _mix(samplers, [{"name": "euler", "dtype": torch.bfloat16}])

    batch = _step([course], seeds=[0])

    assert batch.model_input().dtype == course.latents.dtype == torch.bfloat16
    assert course.values.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wanted", [MIX, MIX[:1] + MIX[3:4], MIX[6:7] * 2], ids=len)
def test_step_has_few_launches(
    samplers: SamplerPrototypes, wanted: Sequence[dict[str, Any]], dtype: torch.dtype
) -> None:
    """Eight or less for any mix of rows, on whatever device."""
    told = {"dtype": dtype, "device": "meta"}
    batch = sit_together(_mix(samplers, [one | told for one in wanted]), ahead=AHEAD)
    samples = len(batch.timesteps())
    said = torch.empty(samples, *SHAPE[1:], dtype=dtype, device="meta").to(
        memory_format=torch.channels_last
    )

    with torch.inference_mode(), counting() as launched:
        batch.model_input()
        batch.timesteps()
        batch.advance(said)

    assert "bmm" in launched
    assert len(launched) <= LAUNCHES_MAX, launched


def test_product_is_what_it_says() -> None:
    """Every value after is a sum of everything before."""
    coefficients, values = normal(2, 3, 8, seed=1), normal(2, 3, 5, seed=2)
    kept, predictions, noise = (
        normal(2, 2, 5, seed=3),
        normal(2, 2, 5, seed=4),
        normal(2, 1, 5, seed=5),
    )

    found = apply_tables(
        coefficients, values=values, kept=kept, predictions=predictions, noise=noise
    )

    told = torch.cat([values, kept, predictions, noise], dim=1)
    torch.testing.assert_close(found, torch.einsum("roi,rid->rod", coefficients, told))
