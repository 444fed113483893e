# SPDX-License-Identifier: Apache-2.0
"""One forward pass of courses of both kinds: whoever moves alone stands last."""

import pytest
import torch

from tabard_server.engine.sampling.courses import Course
from tabard_server.engine.sampling.pass_courses import PassCourses, moves_alone
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tests.server.engine.sampling.known_courses import AHEAD, CONFIG, begin, said_to, walk_alone


@pytest.fixture(scope="module")
def samplers() -> SamplerPrototypes:
    return SamplerPrototypes(CONFIG)


def _courses(samplers: SamplerPrototypes) -> list[Course]:
    return [
        begin(samplers, "euler", seed=0),
        begin(samplers, "lms", seed=1, guidance_scale=1.0),
        begin(samplers, "ddim", seed=2, by_steps=True),
        begin(samplers, "heun", seed=3, by_steps=True, guidance_scale=1.0),
    ]


def test_each_sees_its_own(samplers: SamplerPrototypes) -> None:
    """Latents and timesteps of both kinds, in one order."""
    courses = _courses(samplers)
    together = PassCourses(courses, ahead=AHEAD)

    shown, told = together.model_input(), together.timesteps()

    expected = [one.scaled_latents().expand(one.samples, -1, -1, -1) for one in courses]
    torch.testing.assert_close(shown, torch.cat(expected), rtol=1e-14, atol=0)
    assert len(told) == len(shown) == 6


def test_both_kinds_share_a_pass(samplers: SamplerPrototypes) -> None:
    """Each comes to what it comes to alone."""
    courses, alone = _courses(samplers), _courses(samplers)

    while pending := [n for n, one in enumerate(courses) if one.steps_done < one.steps_total]:
        together = PassCourses([courses[n] for n in pending], ahead=AHEAD)
        said = torch.cat([said_to(courses[n], seed=n) for n in pending])
        together.advance_tables(said)
        for course, prediction in together.alone(said):
            course.advance(prediction)

    for number in (2, 3):
        torch.testing.assert_close(
            courses[number].latents,
            walk_alone(alone[number], seed=number),  # type: ignore[arg-type]
        )
    assert [moves_alone(one) for one in courses] == [False, False, True, True]


def test_who_moves_alone_stands_last(samplers: SamplerPrototypes) -> None:
    """Another order is a mistake of the engine's, and seen at once."""
    with pytest.raises(AssertionError, match="stand last"):
        PassCourses(_courses(samplers)[::-1], ahead=AHEAD)
