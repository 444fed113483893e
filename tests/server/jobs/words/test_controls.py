# SPDX-License-Identifier: Apache-2.0
"""What stands behind a ref: read as UIs write it, refused with its place, written to be read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine_port.weights.strength import Controls, Point
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.words.controls import (
    SaidControls,
    bare_ref,
    read_said,
    write_controls,
)


def read(text: str) -> tuple[str, float | None, SaidControls]:
    """Read a ref of the prompt."""
    said = read_said(text, place_of="prompt")
    return said.ref, said.weight, said.controls


def constant(weight: float) -> tuple[Point, ...]:
    """A weight that never changes."""
    return (Point(weight=weight, at=0.0),)


CURVE = (Point(0.5, 0.0), Point(1.0, 0.6))


@pytest.mark.parametrize(
    ("text", "ref", "weight", "controls"),
    [
        ("acme/ink", "acme/ink", None, {}),
        ("acme/ink:0.8", "acme/ink", 0.8, {}),
        ("acme/ink@1.2.0:-1", "acme/ink@1.2.0", -1.0, {}),
        ("acme/ink : 0.8 ", "acme/ink", 0.8, {}),
        ("acme/ink@sha256:abcdef012345", "acme/ink@sha256:abcdef012345", None, {}),
        ("acme/ink@sha256:abcdef012345:.5", "acme/ink@sha256:abcdef012345", 0.5, {}),
        ("acme/ink:0.5:0.8", "acme/ink", 0.5, {"unet": constant(0.8)}),
        ("acme/ink:te=0.5:unet=0.8", "acme/ink", None,
         {"text_encoder": 0.5, "unet": constant(0.8)}),
        ("acme/ink:1:text_encoder=0", "acme/ink", 1.0, {"text_encoder": 0.0}),
        ("acme/ink:0.5@0,1@0.6", "acme/ink", 0.5, {"unet": CURVE}),
        ("acme/ink@stable:0.5@0,1@0.6:te=0.3", "acme/ink@stable", 0.5,
         {"unet": CURVE, "text_encoder": 0.3}),
        ("acme/ink:0.4:unet=0.5@0,1@0.6", "acme/ink", 0.4, {"unet": CURVE}),
        ("acme/ink:0.8: start=0.2 : end=0.7 ", "acme/ink", 0.8, {"start": 0.2, "end": 0.7}),
        ("acme/ink:in4=0.5:MID=0:OUT=2", "acme/ink", None,
         {"blocks": (("IN4", 0.5), ("MID", 0.0), ("OUT", 2.0))}),
        ("acme/ink:d3=0.5:S=0:D07=1", "acme/ink", None,
         {"blocks": (("D3", 0.5), ("S", 0.0), ("D07", 1.0))}),
        ("acme/ink:1:1:lbw=1,0,0.5", "acme/ink", 1.0,
         {"unet": constant(1.0), "block_weights": (1.0, 0.0, 0.5)}),
    ],
)  # fmt: skip
def test_words_of_uis_are_read(
    text: str, ref: str, weight: float | None, controls: dict[str, object]
) -> None:
    """Positions as A1111 has them, names as its extensions do."""
    assert read(text) == (ref, weight, SaidControls(**controls))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("acme/ink:heavy", "INVALID_WEIGHT", 10),
        ("acme/ink:", "INVALID_WEIGHT", 10),
        ("acme/ink@1.2.0:0.8:0.5:0.2", "CONTROL_MALFORMED", 24),
        ("acme/ink:0.8:te=x", "CONTROL_MALFORMED", 17),
        ("acme/ink:0.8:te=٣", "CONTROL_MALFORMED", 17),
        ("acme/ink:te=0.5@0,1@0.6", "CONTROL_MALFORMED", 13),
        ("acme/ink:0.5@0,1", "CONTROL_MALFORMED", 16),
        ("acme/ink:0.5@0,@1", "CONTROL_MALFORMED", 16),
        ("acme/ink:lbw=1,,0", "CONTROL_MALFORMED", 16),
        ("acme/ink:lbw=OUTALL", "CONTROL_MALFORMED", 14),
        ("acme/ink:step=5-15", "CONTROL_MALFORMED", 10),
        ("acme/ink:1:region=", "CONTROL_MALFORMED", 19),
        ("acme/ink:1:region=0,0,x,1", "CONTROL_MALFORMED", 23),
        ("acme/ink:region=a:region=b", "CONTROL_CONTRADICTED", 19),
        ("acme/ink:te=1:0.5", "CONTROL_MALFORMED", 15),
        ("acme/ink:te=1:te=1", "CONTROL_CONTRADICTED", 15),
        ("acme/ink:te=1:text_encoder=1", "CONTROL_CONTRADICTED", 15),
        ("acme/ink:IN04=1:in04=0", "CONTROL_CONTRADICTED", 17),
        ("acme/ink:0.5@0,1@1:unet=1", "CONTROL_CONTRADICTED", 20),
        ("acme/ink:0.5:unet=nan", "CONTROL_MALFORMED", 19),
        ("acme/ink:lbw=" + ",".join("1" * 65), "CONTROL_MALFORMED", 14),
        ("acme/ink:" + "0" * 1100, "CONTROL_MALFORMED", 9),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, reason: str, place: int) -> None:
    """The message counts characters from 1, in the field where it stands."""
    with pytest.raises(InvalidRequest) as caught:
        read_said(text, place_of="adapters[0]", at=100)

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("adapters[0]", reason)
    assert violation.description.endswith(f"at character {place + 100}")
    assert violation.hint


@given(st.text(alphabet="acme/ink@:=,.0123456789-+eINOUTMDBASlbwtundrgo/ \u0663é<", max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    """Nothing else comes of it, and the place lies within."""
    try:
        said = read_said(text, place_of="prompt")
    except InvalidRequest as error:
        (violation,) = error.violations
        found = re.search(r"at character (\d+)$", violation.description)
        assert found is not None
        assert 1 <= int(found[1]) <= len(text) + 1
    else:
        assert said.ref in text


WEIGHTS = st.floats(-4, 4)
SHARES = st.floats(0, 1)


@st.composite
def all_controls(draw: st.DrawFn) -> Controls:
    """Anything that can be said of an adapter."""
    places = sorted(draw(st.lists(SHARES, max_size=4, unique=True)))
    if len(places) == 1:
        places = [0.0]
    start, end = sorted(draw(st.lists(SHARES, min_size=2, max_size=2, unique=True)))
    names = draw(st.lists(st.sampled_from(["BASE", "IN04", "MID", "OUT11"]), unique=True))
    return Controls(
        text_encoder=draw(st.none() | WEIGHTS),
        unet=tuple(Point(weight=draw(WEIGHTS), at=at) for at in places),
        start=draw(st.sampled_from([0.0, start])),
        end=draw(st.sampled_from([1.0, end])),
        region=draw(st.sampled_from(["", "left", "0,0,0.5,1/0.8,0,1,1"])),
        blocks=tuple((name, draw(WEIGHTS)) for name in names),
    )


@given(all_controls(), st.none() | WEIGHTS)
def test_writing_and_reading_agree(controls: Controls, weight: float | None) -> None:
    """What is printed is read as what it was, to the last bit."""
    behind = [*([] if weight is None else [repr(weight)]), write_controls(controls)]
    text = ":".join(["acme/ink@1.2.0", *filter(None, behind)])

    ref, said_weight, said = read(text)

    assert (ref, said_weight) == ("acme/ink@1.2.0", weight)
    start = None if controls.start == 0.0 else controls.start
    end = None if controls.end == 1.0 else controls.end
    assert said == SaidControls(
        text_encoder=controls.text_encoder,
        unet=controls.unet,
        start=start,
        end=end,
        region=controls.region,
        blocks=controls.blocks,
    )


def test_ref_is_told_without_what_stands_behind() -> None:
    """Whatever that is."""
    assert bare_ref("acme/ink@sha256:abcdef012345:0.5@0,1@1:te=1") == "acme/ink@sha256:abcdef012345"
    assert bare_ref("acme/ink:x") == bare_ref("acme/ink") == "acme/ink"
