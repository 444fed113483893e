# SPDX-License-Identifier: Apache-2.0
"""An adapter in words instead of a text, and the message that it becomes."""

from typing import Any

import pytest

from tabard import Wear
from tabard.calls.options import write_request
from tabard.v1 import generation_service_pb2 as pb


def sent(adapters: Any) -> pb.GenerateRequest:
    """The message of a request that wears these."""
    return write_request("x", options={"adapters": adapters})


def test_ref_alone_says_nothing_else() -> None:
    """A value without words is the text, and one may stand alone."""
    assert sent(Wear(ref="acme/ink")) == sent("acme/ink") == sent(["acme/ink"])


def test_every_word_has_its_field() -> None:
    """0 is a weight; what is None is not sent."""
    wear = Wear(ref="acme/ink", weight=0.0, text_encoder=0.0, unet=0.5, start=0.0, end=0.5,
                blocks={"IN04": 0.5})  # fmt: skip

    (adapter,) = sent([wear]).adapters
    controls = adapter.controls
    assert (adapter.ref, adapter.HasField("weight"), adapter.weight) == ("acme/ink", True, 0.0)
    assert all(controls.HasField(name) for name in ("text_encoder", "unet", "start", "end"))
    assert (controls.unet, controls.end) == (0.5, 0.5)
    assert [(one.block, one.weight) for one in controls.blocks] == [("IN04", 0.5)]
    assert not (controls.points or controls.block_weights)


def test_points_and_lists_are_sent() -> None:
    """Points as pairs of a weight and a share; a list of numbers names no blocks."""
    wear = Wear(ref="acme/ink", points=((0.5, 0), (1, 0.6)), blocks=[1.0, 0.0])

    first, second = sent(["acme/pen:0.5", wear]).adapters
    assert first.ref == "acme/pen:0.5"
    assert [(one.weight, one.at) for one in second.controls.points] == [(0.5, 0.0), (1.0, 0.6)]
    assert list(second.controls.block_weights) == [1.0, 0.0]


@pytest.mark.parametrize(
    "wear",
    [
        Wear(ref="acme/ink", unet="much"),  # type: ignore[arg-type]
        Wear(ref="acme/ink", points=((1,),)),  # type: ignore[arg-type]
        Wear(ref="acme/ink", blocks={"IN04": "x"}),  # type: ignore[dict-item]
        Wear(ref="acme/ink", blocks=3),  # type: ignore[arg-type]
        Wear(ref=7),  # type: ignore[arg-type]
    ],
)
def test_value_of_another_type_is_named(wear: Wear) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="adapters"):
        sent([wear])
