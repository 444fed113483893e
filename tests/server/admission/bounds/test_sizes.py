# SPDX-License-Identifier: Apache-2.0
"""Which sizes are drawn: shape, time and memory, each with a reason and a size that would do."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.admission.bounds.sizes import Asked, Sizes
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.memory import MemoryPlan, PassBytes
from tabard_server.engine_port.work import Curve, Estimate, Work
from tabard_server.errors import Violation
from tabard_server.limits import Limits
from tests.server.engine_port.known_work import HUGE, LARGE, SMALL, WORK
from tests.server.fakes import BASE_FACTS

GUIDED = Asked()
PLAN = MemoryPlan(
    base=100,
    slots=0,
    merged=0,
    gathered=0,
    activations=1 << 20,
    # 256 bytes a pixel: an image of 128x128 takes 4 MiB for each of its samples.
    passes=PassBytes(step=Curve(linear=256.0), image=Curve(linear=128.0)),
    free=(8 << 20) + 100,
)


def sizes_of(*, work: Work = WORK, plan: MemoryPlan | None = None, **limits: Any) -> Sizes:
    return Sizes(facts=BASE_FACTS, limits=Limits(**limits), work=lambda: work, plan=plan)


def refusal_of(sizes: Sizes, size: Size, asked: Asked = GUIDED) -> Violation:
    """Return the one thing that is wrong."""
    (violation,) = sizes.check(size, asked)
    return violation


def advised(violation: Violation) -> Size:
    """Return the size that a refusal names."""
    found = re.search(r"use (\d+)x(\d+)", violation.hint)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("size", [(16, 65_536), (65_536, 16)])
def test_ribbon_is_refused_on_any_device(size: Size) -> None:
    """Pixels say nothing of a shape: no base draws 16x65536, however fast it would be."""
    violation = refusal_of(sizes_of(work=Work()), size)

    assert violation.reason == "SIDE_TOO_LONG"
    assert "512" in violation.hint and "side_ratio_max" in violation.hint


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (64, 256), (512, 32), (192, 128)])
def test_real_use_is_drawn(size: Size) -> None:
    """The own size, twice each side, and panoramas."""
    assert not sizes_of().check(size, GUIDED)


def test_slow_step_is_refused_at_the_door() -> None:
    """The refusal says the seconds, the bound, and the largest size of that shape that fits."""
    sizes = sizes_of()

    violation = refusal_of(sizes, HUGE)

    seconds = WORK.step.seconds(HUGE, samples=2)
    assert violation.reason == "SIZE_TOO_SLOW"
    assert f"{seconds:.1f} s" in violation.description and "5.0 s" in violation.description
    assert "step_seconds_max" in violation.hint
    width, height = advised(violation)
    assert not sizes.check((width, height), GUIDED)
    assert sizes.check((width + 8, height + 8), GUIDED)
    assert not sizes_of(step_seconds_max=seconds).check(HUGE, GUIDED)


def test_size_of_too_many_pixels_has_a_nearest() -> None:
    """The bound on pixels says what is drawn instead as well: by every other bound, too."""
    sizes = sizes_of(pixels_max=128 * 128)

    violation = refusal_of(sizes, (4096, 1024))

    assert violation.reason == "SIZE_TOO_LARGE"
    assert "limits.pixels_max" in violation.hint and f"{128 * 128}" in violation.description
    assert not sizes.check(advised(violation), GUIDED)


def test_hint_names_the_bound_that_decides() -> None:
    """Above the bound on pixels, but what is drawn instead is bounded by the time of a step."""
    sizes = sizes_of(pixels_max=HUGE[0] * HUGE[1])

    violation = refusal_of(sizes, (HUGE[0] * 2, HUGE[1] * 2))

    assert violation.reason == "SIZE_TOO_LARGE"
    assert "(limits.step_seconds_max)" in violation.hint
    assert sizes.check((HUGE[0] - 8, HUGE[1] - 8), GUIDED)


def test_samples_count() -> None:
    """An image without guidance takes half the time, and is drawn where a guided one is not."""
    assert not sizes_of().check(HUGE, Asked(samples=1))


def test_picture_is_encoded_in_time() -> None:
    """A picture that would take too long to encode is refused, the same size from noise is not."""
    work = replace(WORK, encoding=Estimate(curve=Curve(quadratic=2e-9)))

    assert refusal_of(sizes_of(work=work), LARGE, Asked(has_picture=True)).reason == "SIZE_TOO_SLOW"
    assert not sizes_of(work=work).check(LARGE, GUIDED)


def test_decoding_is_in_time() -> None:
    """A decoding is one call too."""
    work = replace(WORK, decoding=Estimate(curve=Curve(quadratic=2e-9)))

    assert refusal_of(sizes_of(work=work), LARGE).reason == "SIZE_TOO_SLOW"


def test_size_over_memory_is_refused() -> None:
    """What cannot fit is not found out by running out of memory."""
    sizes = sizes_of(plan=PLAN)

    violation = refusal_of(sizes, (128, 152))

    assert violation.reason == "SIZE_OVER_MEMORY"
    assert "10 MiB" in violation.description and "8 MiB" in violation.description
    assert advised(violation) == (120, 136)
    assert not sizes.check((128, 128), GUIDED)
    assert not sizes.check((128, 136), Asked(samples=1))


def test_nobody_knows_memory() -> None:
    """Where nobody says what is free, nothing is refused for it."""
    assert not sizes_of(plan=replace(PLAN, free=None)).check((128, 136), GUIDED)


def test_slow_base_draws_its_own_size() -> None:
    """A step of a minute at the own size is no reason to serve nothing."""
    sizes = sizes_of(work=replace(WORK, step=Estimate(curve=Curve(linear=0.01))))

    assert not sizes.check(SMALL, GUIDED)
    assert refusal_of(sizes, (64, 72)).reason == "SIZE_TOO_SLOW"


@given(
    size=st.tuples(st.integers(1, 70_000), st.integers(1, 70_000)),
    limit=st.floats(0.01, 100.0),
    has_picture=st.booleans(),
    is_tight=st.booleans(),
)
def test_nearest_size_can_be_drawn(
    size: Size, limit: float, has_picture: bool, is_tight: bool
) -> None:
    """Whatever is asked for, the advice is one that works."""
    asked = Asked(has_picture=has_picture)
    sizes = sizes_of(step_seconds_max=limit, plan=PLAN if is_tight else None)

    assert not sizes.check(sizes.nearest(size, asked), asked)
