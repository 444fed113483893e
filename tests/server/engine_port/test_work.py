# SPDX-License-Identifier: Apache-2.0
"""What calls take by size: curves, the pace of late, and what is always allowed."""

from dataclasses import replace

import pytest

from tabard_server.engine_port.work import Curve, Estimate, Work
from tests.server.engine_port.known_work import HUGE, LARGE, SMALL, WORK


def test_curve_grows_with_pixels_and_samples() -> None:
    """Twice the samples: twice all but the overhead. Attention grows with the square."""
    curve = Curve(fixed=1.0, linear=0.5, quadratic=0.25)

    assert curve.at((2, 2)) == 1.0 + 4 * 0.5 + 16 * 0.25
    assert curve.at((2, 2), samples=3) == 1.0 + 3 * (4 * 0.5 + 16 * 0.25)
    assert curve.at((1, 4)) == curve.at((2, 2))


def test_pace_of_the_nearest_size_counts() -> None:
    """A size goes at its own pace, or at that of the one that is nearest to it."""
    curve = Curve(linear=1.0)
    seen = Estimate(curve=curve, paces={64: 0.5, 4096: 2.0})

    assert seen.seconds((8, 8)) == 64 * 0.5
    assert seen.seconds((64, 65)) == 64 * 65 * 2.0
    assert seen.seconds((10, 10)) == 100 * 0.5
    assert Estimate(curve=curve).seconds((8, 8)) == 64


def test_longest_call_is_any_of_them() -> None:
    """A decoding, or the encoding of a picture, holds others up as a step does."""
    slow = Estimate(curve=Curve(fixed=9.0))

    assert WORK.longest_call(LARGE, samples=2, has_picture=False) == WORK.step.seconds(
        LARGE, samples=2
    )
    assert replace(WORK, decoding=slow).longest_call(SMALL, samples=2, has_picture=False) == 9.0
    encodes = replace(WORK, encoding=slow)
    assert encodes.longest_call(SMALL, samples=2, has_picture=True) == 9.0
    assert encodes.longest_call(SMALL, samples=2, has_picture=False) < 9.0


@pytest.mark.parametrize(("native", "is_allowed_more"), [(SMALL, False), (HUGE, True)])
def test_own_size_is_always_allowed(native: tuple[int, int], is_allowed_more: bool) -> None:
    """A base that is slow at its own size serves that size nevertheless."""
    work = replace(WORK, native=native)

    assert (work.bound(5.0) > 5.0) is is_allowed_more
    assert work.longest_call(native, samples=2, has_picture=True) <= work.bound(5.0)


def test_opening_is_words_and_picture() -> None:
    """Windows are encoded for each prompt, a picture once; nothing known costs nothing."""
    assert WORK.opening_seconds(SMALL, windows=4, has_picture=False) == 0.004
    assert WORK.opening_seconds(LARGE, windows=0, has_picture=True) == WORK.encoding.seconds(LARGE)
    assert Work().opening_seconds(LARGE, windows=9, has_picture=True) == 0.0
