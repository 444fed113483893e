# SPDX-License-Identifier: Apache-2.0
"""The way of one row: by a table where its sampler is one, else by diffusers' own `step`."""

import pytest
import torch

from tabard_server.engine.sampling.courses import StepCourse, TableCourse
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tests.server.engine.sampling.known_courses import CONFIG, SHAPE, begin, said_to, walk_alone
from tests.server.engine.tiny_base import skip_if_absent


@pytest.fixture(scope="module")
def samplers() -> SamplerPrototypes:
    return SamplerPrototypes(CONFIG)


def test_linear_sampler_is_a_table(samplers: SamplerPrototypes) -> None:
    """And has no other way; rows that walk alike share it."""
    one, two, longer = (begin(samplers, "unipc", steps=n, seed=n) for n in (5, 5, 6))

    assert isinstance(one, TableCourse)
    assert isinstance(two, TableCourse) and two.table is one.table
    assert isinstance(longer, TableCourse) and longer.table is not one.table


@pytest.mark.parametrize("changes", [{"skipped": 2}, {"is_kept": True}, {"steps": 5}], ids=str)
def test_other_walks_have_other_tables(
    samplers: SamplerPrototypes, changes: dict[str, object]
) -> None:
    """Of another first step, another number of them, or with a part that is kept."""
    plain = begin(samplers, "euler")
    changed = begin(samplers, "euler", **changes)  # type: ignore[arg-type]

    assert isinstance(plain, TableCourse) and isinstance(changed, TableCourse)
    assert plain.table is not changed.table


def test_clipped_walk_steps_by_itself() -> None:
    """What looks at values keeps diffusers' own step, and comes to what that comes to."""
    course = begin(SamplerPrototypes({**CONFIG, "clip_sample": True}), "ddim")

    assert isinstance(course, StepCourse)
    assert walk_alone(course, seed=0).abs().max() <= 1.0


def test_private_noise_steps_by_itself(samplers: SamplerPrototypes) -> None:
    """A sampler that draws its noise by itself has no table."""
    skip_if_absent("dpmpp_sde")

    assert isinstance(begin(samplers, "dpmpp_sde"), StepCourse)


def test_noise_is_that_of_the_row(samplers: SamplerPrototypes) -> None:
    """In the order of the steps; one that is asked for again is the same, and draws nothing."""
    course = begin(samplers, "euler_a", seed=5)
    assert isinstance(course, TableCourse)
    generator = torch.Generator().manual_seed(5)

    drawn = [course.draw_noise(step) for step in (0, 0, 1)]

    expected = [torch.randn(SHAPE, generator=generator, dtype=torch.float64) for _ in range(2)]
    for found, one in zip(drawn, [expected[0], *expected], strict=True):
        assert found is not None and torch.equal(found, one)


def test_last_look_is_scaled_too(samplers: SamplerPrototypes) -> None:
    """A row that is done can still be shown, as its last step was."""
    course = begin(samplers, "euler", by_steps=True)
    assert isinstance(course, StepCourse)

    last = walk_alone(course, seed=1)

    assert course.scaled_latents().abs().max() <= last.abs().max()
    assert said_to(course, seed=0).shape[1:] == SHAPE[1:]
