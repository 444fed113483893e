# SPDX-License-Identifier: Apache-2.0
"""Names of regions and boxes: read in any spelling, written in one, or refused with their place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine_port.regions import Box
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.words.regions import is_name, read_boxes, read_region, write_boxes


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("left", "left"),
        (" Upper_left-2 ", "Upper_left-2"),
        ("0,0,0.5,1", "0,0,0.5,1"),
        ("0.0, 0., .50,1e0", "0,0,0.5,1"),
        ("-0,0,0.5,1", "0,0,0.5,1"),
        ("0.8,0,1,1/0,0,0.5,1", "0,0,0.5,1/0.8,0,1,1"),
        ("0,0,1,1/0,0,1,1", "0,0,1,1"),
    ],
)
def test_one_area_has_one_text(text: str, written: str) -> None:
    """However it is spelled: adapters of one area share it."""
    assert read_region(text, place_of="adapters") == written


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1),
        ("0,0,1", 1),
        ("0,0,1,1/", 9),
        ("0,0,1,1,1", 1),
        ("0,x,1,1", 3),
        ("0,0,1,1/0,0,nan,1", 13),
        ("0,0,1e999,1", 5),
        ("0,0,٣,1", 5),
        ("left right", 1),
        ("9lives", 1),
        ("é", 1),
        ("a" * 33, 1),
        ("/".join(["0,0,1,1"] * 17), 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, place: int) -> None:
    """The message counts characters from 1, in the field where it stands."""
    with pytest.raises(InvalidRequest) as caught:
        read_region(text, place_of="regions[1].boxes", at=100)

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("regions[1].boxes", "CONTROL_MALFORMED")
    assert violation.description.endswith(f"at character {place + 100}")
    assert "0,0,0.5,1" in violation.hint


@given(st.text(alphabet="leftA_-0123456789.,/+eE \u0663é", max_size=40))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    """Nothing else comes of it, the place lies within, and what is written is read as the same."""
    try:
        found = read_region(text, place_of="prompt")
    except InvalidRequest as error:
        (violation,) = error.violations
        place = re.search(r"at character (\d+)$", violation.description)
        assert place is not None
        assert 1 <= int(place[1]) <= len(text) + 1
    else:
        assert read_region(found, place_of="prompt") == found


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.builds(Box, NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=16))
def test_writing_and_reading_agree(boxes: list[Box]) -> None:
    """To the last bit; order and repetition say nothing."""
    text = write_boxes(tuple(boxes))

    assert set(read_boxes(text, place_of="prompt")) == {Box(*(s + 0.0 for s in b)) for b in boxes}
    assert write_boxes(read_boxes(text, place_of="prompt")) == write_boxes(
        tuple(Box(*(side + 0.0 for side in box)) for box in boxes)
    )


@given(st.builds(Box, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_boxes_are_never_names(box: Box) -> None:
    """So one word says either."""
    assert not is_name(write_boxes((box,)))
