# SPDX-License-Identifier: Apache-2.0
"""Controls are checked against the base: places, windows, names and lists of blocks."""

import math
from typing import Any

import numpy as np
import pytest

from tabard_server.admission.controls import ControlReader, check_windows
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.weights.strength import Controls, Point
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.job import Worn
from tabard_server.jobs.words.controls import NOTHING_SAID, SaidControls
from tests.server.drawings import drawing, picture_of
from tests.server.releases import release

MODULES = (
    "conv_in",
    "down_blocks.0.resnets.0.conv1",
    "down_blocks.0.attentions.0.to_q",
    "down_blocks.0.downsamplers.0.conv",
    "mid_block.attentions.0.to_q",
    "up_blocks.0.resnets.0.conv1",
    "up_blocks.0.resnets.1.conv1",
    "up_blocks.0.attentions.1.to_q",
)
"""IN00, IN01 and IN02, MID, OUT00 and OUT01; text is looked at in IN01, MID and OUT01."""
READER = ControlReader(blocks=Blocks(MODULES), family="sd1")


def read(**said: Any) -> Controls | None:
    """Read controls of one adapter."""
    return READER.read(SaidControls(**said), field="adapters[1]", adapter="acme/ink")


def test_nothing_said_is_nothing() -> None:
    """A row without controls is one without them everywhere."""
    assert READER.read(NOTHING_SAID, field="prompt", adapter="acme/ink") is None


def test_what_is_left_out_is_the_whole() -> None:
    """A window reaches to the end, and blocks keep their weight."""
    assert read(start=0.2) == Controls(start=0.2)
    assert read(text_encoder=0.5) == Controls(text_encoder=0.5)
    assert read(region="left") == Controls(region="left")
    assert read(unet=(Point(0.5, 0.3),)) == Controls(unet=(Point(0.5, 0.0),))


@pytest.mark.parametrize(
    ("said", "blocks"),
    [
        ({"blocks": (("in1", 0.5), ("M00", 0.0))}, {"IN01": 0.5, "MID": 0.0}),
        ({"blocks": (("IN01", 0.5), ("IN", 0.0))}, {"IN00": 0.0, "IN01": 0.5, "IN02": 0.0}),
        ({"blocks": (("BASE", 0.5), ("OUT01", 1.0))}, {"BASE": 0.5}),
        (
            {"block_weights": (0.5, 1.0, 0.0, 2.0)},
            {"BASE": 0.5, "IN00": 0.0, "IN02": 0.0, "MID": 0.0, "OUT00": 0.0, "OUT01": 2.0},
        ),
        ({"block_weights": (1.0, 1, 1, 0.5, 1, 1, 1)}, {"IN02": 0.5}),
    ],
)
def test_blocks_are_named(said: dict[str, Any], blocks: dict[str, float]) -> None:
    """Lists too; a short one leaves out blocks, which are 0 then, as in UIs."""
    found = read(**said)

    assert found is not None
    assert dict(found.blocks) == blocks


@pytest.mark.parametrize(
    ("said", "reason", "told"),
    [
        ({"start": 1.5}, "CONTROL_OUT_OF_RANGE", "start of acme/ink is 1.5"),
        ({"end": -0.1}, "CONTROL_OUT_OF_RANGE", "end of acme/ink is -0.1"),
        ({"end": math.nan}, "CONTROL_OUT_OF_RANGE", "end of acme/ink is nan"),
        ({"start": 0.5, "end": 0.5}, "CONTROL_OUT_OF_RANGE", "not before its end 0.5"),
        ({"unet": (Point(1, 0), Point(1, 1.1))}, "CONTROL_OUT_OF_RANGE", "1@0,1@1.1"),
        ({"unet": (Point(1, 0.6), Point(1, 0.2))}, "CONTROL_OUT_OF_RANGE", "out of order"),
        ({"unet": (Point(1, 0.2), Point(2, 0.2))}, "CONTROL_OUT_OF_RANGE", "out of order"),
        ({"blocks": (("IN07", 0.5),)}, "BLOCK_UNKNOWN", "'IN07' of acme/ink"),
        ({"blocks": (("MIDDLE", 0.5),)}, "BLOCK_UNKNOWN", "'MIDDLE' of acme/ink"),
        ({"block_weights": (1.0,) * 17}, "BLOCK_LIST_LENGTH", "17 block weights of acme/ink"),
        (
            {"block_weights": (1.0,) * 4, "blocks": (("MID", 0.0),)},
            "CONTROL_CONTRADICTED",
            "MID beside it",
        ),
    ],
)
def test_what_cannot_be_is_refused(said: dict[str, Any], reason: str, told: str) -> None:
    """The field, the value, and in the hint what is allowed."""
    with pytest.raises(InvalidRequest) as caught:
        read(**said)

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("adapters[1]", reason)
    assert told in violation.description
    assert violation.hint


def test_hint_lists_what_is_allowed() -> None:
    """Names of this base's own blocks, and both lengths."""
    with pytest.raises(InvalidRequest) as caught:
        read(blocks=(("OUT11", 0.0),))
    assert "IN00, IN01, IN02, MID, OUT00, OUT01" in caught.value.violations[0].hint

    with pytest.raises(InvalidRequest) as caught:
        read(block_weights=(1.0,))
    assert "4 or 7" in caught.value.violations[0].description
    assert "BASE, IN01, MID, OUT01" in caught.value.violations[0].hint


def worn(**controls: Any) -> Worn:
    """A release that is worn so."""
    return Worn(ref="acme/ink", release=release(), weight=1.0,
                controls=Controls(**controls))  # fmt: skip


def test_window_without_a_step_is_refused() -> None:
    """It would never be worn, and nobody would be told."""
    with pytest.raises(InvalidRequest) as caught:
        check_windows([worn(start=0.8)], drawing=drawing(steps=4))

    (violation,) = caught.value.violations
    assert violation.reason == "CONTROL_OUT_OF_RANGE"
    assert "none of 4 steps begins within 0.8 to 1 of acme/ink" in violation.description
    check_windows([worn(start=0.75)], drawing=drawing(steps=4))
    check_windows([worn(start=0.8)], drawing=drawing(steps=5))


def test_window_counts_the_steps_of_a_redrawing() -> None:
    """A picture that is half redrawn takes half of the steps."""
    picture = picture_of(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InvalidRequest):
        check_windows(
            [worn(start=0.6, end=0.7)], drawing=drawing(steps=4, picture=picture, strength=0.5)
        )
