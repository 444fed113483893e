# SPDX-License-Identifier: Apache-2.0
"""What a weight with controls comes to: in text encoders, at steps, in blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.weights.strength import (
    Controls,
    Point,
    Strength,
    is_steady,
    is_worn_in,
    stated_weights,
    weight_of_part,
    weights_by_step,
    weights_in_text,
)

BLOCKS = Blocks(["conv_in", "down_blocks.0.attentions.0.to_q", "up_blocks.0.resnets.0.conv1"])
"""IN00, IN01, MID, OUT00."""


def strong(weight: float = 1.0, **controls: object) -> Strength:
    """A weight with controls."""
    return Strength(weight=weight, controls=Controls(**controls))  # type: ignore[arg-type]


def test_a_number_is_itself_everywhere() -> None:
    """Nobody who says one weight pays for those who say more; 0 is a weight like others."""
    assert weights_in_text(0.0) == (0.0,)
    assert weights_by_step(0.5, steps=3, blocks=BLOCKS) == [(0.5,)] * 3
    assert is_steady(0.5)


@pytest.mark.parametrize(
    ("start", "end", "worn"),
    [
        (0.0, 0.6, [True, True, True, False, False]),
        (0.6, 1.0, [False, False, False, True, True]),
        (0.2, 0.8, [False, True, True, True, False]),
        (0.5, 0.61, [False, False, False, True, False]),
    ],
)
def test_window_holds_the_steps_that_begin_in_it(
    start: float, end: float, worn: list[bool]
) -> None:
    """Step i of five begins at i / 5; the end itself is no longer in it."""
    found = weights_by_step(strong(0.8, start=start, end=end), steps=5, blocks=BLOCKS)

    assert [bool(weights) for weights in found] == worn
    assert {weights for weights in found if weights} == {(0.8,)}


def test_points_are_joined_by_lines() -> None:
    """Before the first and after the last it stays as there."""
    points = (Point(0.5, 0.2), Point(1.5, 0.6))

    found = weights_by_step(strong(unet=points), steps=5, blocks=BLOCKS)

    assert [round(weights[0], 9) for weights in found] == [0.5, 0.5, 1.0, 1.5, 1.5]


def test_blocks_are_factors() -> None:
    """One for each block, and 1 for what lies in none."""
    found = weights_by_step(strong(0.5, blocks=(("IN01", 0.0), ("OUT00", 2.0))), steps=1,
                            blocks=BLOCKS)  # fmt: skip

    assert found == [(0.5, 0.0, 0.5, 1.0, 0.5)]
    part = weight_of_part(
        strong(0.5, blocks=(("OUT00", 2.0),)), component="unet", block=3, blocks=BLOCKS
    )
    assert part == 1.0


def test_text_encoders_have_their_own() -> None:
    """The list of a UI begins with their factor."""
    assert weights_in_text(strong(0.5, text_encoder=0.8, blocks=(("BASE", 0.5),))) == (0.4,)
    assert weights_in_text(strong(0.5, text_encoder=0.0)) == ()
    assert weights_in_text(strong(0.5, start=0.9)) == (0.5,)


def test_member_of_a_recipe_is_scaled() -> None:
    """Weights are multiplied; windows and factors are not."""
    said = Controls(text_encoder=0.5, unet=(Point(0.8, 0.0),), end=0.5, blocks=(("MID", 0.5),))

    assert said.scaled(0.5) == Controls(
        text_encoder=0.25, unet=(Point(0.4, 0.0),), end=0.5, blocks=(("MID", 0.5),)
    )


def test_extremes_hold_everything() -> None:
    """What a bound on weights must look at."""
    found = strong(1.0, text_encoder=0.2, unet=(Point(2.0, 0.0), Point(1.0, 0.5)),
                   blocks=(("MID", -3.0),))  # fmt: skip

    assert {0.2, 2.0, 1.0, -6.0, -3.0} == set(found.extremes)
    assert stated_weights(1.0, found.controls) == (0.2, 2.0, 1.0)
    assert stated_weights(0.7, None) == (0.7,)


SHARES = st.floats(0, 1, allow_nan=False)


@given(
    weights=st.lists(st.floats(-4, 4), min_size=1, max_size=5),
    data=st.data(),
    steps=st.integers(1, 40),
)
def test_weights_never_leave_what_was_said(
    weights: list[float], data: st.DataObject, steps: int
) -> None:
    """Whatever the points: each step's weight lies between the smallest and the largest."""
    count = len(weights)
    places = data.draw(st.lists(SHARES, min_size=count, max_size=count, unique=True))
    points = tuple(
        Point(weight=weight, at=at) for weight, at in zip(weights, sorted(places), strict=True)
    )

    found = weights_by_step(strong(unet=points), steps=steps, blocks=BLOCKS)

    low, high = min(weights), max(weights)
    assert all(low - 1e-9 <= (one or (0.0,))[0] <= high + 1e-9 or not one for one in found)
    assert len(found) == steps


def test_region_is_a_place_and_no_step() -> None:
    """It holds at every step; a merged copy, which wears one thing everywhere, cannot have it."""
    there = Strength(weight=1.0, controls=Controls(region="left"))

    assert there.controls.is_steady and not is_steady(there)
    assert [is_worn_in(there, region=one) for one in ("left", "right", "")] == [True, False, False]
    everywhere = Strength(weight=1.0, controls=Controls())
    assert all(is_worn_in(one, region="left") for one in (0.5, everywhere))
    assert there.controls.scaled(0.5).region == "left"
