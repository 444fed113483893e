# SPDX-License-Identifier: Apache-2.0
"""A drawing is whole or is not made, and says of itself what the engine asks."""

from typing import Any

import numpy as np
import pytest

from tests.server.drawings import drawing, picture_of

SQUARE = picture_of(np.zeros((64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "changes",
    [
        {"picture": SQUARE},
        {"strength": 0.5},
        {"picture": SQUARE, "strength": 0.0},
        {"picture": SQUARE, "strength": 1.01},
        {"picture": SQUARE, "strength": 0.5, "width": 128},
    ],
)
def test_half_a_picture_is_no_drawing(changes: dict[str, Any]) -> None:
    """A picture and its strength come together, in the size that is drawn."""
    with pytest.raises(AssertionError):
        drawing(**changes)


@pytest.mark.parametrize(
    ("changes", "time_ids"),
    [
        ({}, (48, 64, 0, 0, 48, 64)),
        (
            {"original_size": (256, 128), "crop_top_left": (8, 16), "target_size": (96, 32)},
            (128, 256, 8, 16, 32, 96),
        ),
    ],
)
def test_sizes_are_told_heights_first(changes: dict[str, Any], time_ids: tuple[int, ...]) -> None:
    """SDXL is told what was asked for, or the picture's own size from its corner."""
    assert drawing(width=64, height=48, **changes).time_ids == time_ids


@pytest.mark.parametrize(("scale", "is_guided"), [(0.0, False), (1.0, False), (1.5, True)])
def test_guidance_above_one_is_guidance(scale: float, is_guided: bool) -> None:
    """At 1 the unconditional sample would cancel out, so it is not drawn."""
    assert drawing(guidance_scale=scale).is_guided == is_guided
