# SPDX-License-Identifier: Apache-2.0
"""Regions of a request: the parts they make, and everything that can be wrong with them."""

from typing import Any

import numpy as np
import pytest

from tabard_server.admission.regions.reader import MaskFile, RegionReader
from tabard_server.engine_port.regions import Region, WantedRegion
from tabard_server.engine_port.weights.strength import Controls
from tabard_server.errors import InvalidRequest, Violation
from tabard_server.jobs.job import Worn
from tests.server.releases import release

READER = RegionReader(latent_factor=8, regions_max=3)
LEFT = WantedRegion(name="left", boxes="0,0,0.5,1")
RIGHT = WantedRegion(name="right", boxes="0.5,0,1,1", prompt="a dog")
MASKED = WantedRegion(name="hat", mask=b"file")


def worn(*regions: str) -> list[Worn]:
    """A stack of which each is worn in one of these."""
    return [
        Worn(ref="acme/ink", release=release(), weight=1.0, controls=Controls(region=region))
        for region in regions
    ]


def read(*wanted: WantedRegion, at: tuple[str, ...] = (), **masks: Any) -> tuple[Region, ...]:
    """Read regions that nothing is wrong with by themselves."""
    assert READER.check(wanted) == []
    return READER.read(
        wanted,
        worn=worn(*at),
        masks={int(key[1:]): file for key, file in masks.items()},
        prompt="a cat",
        words={f"regions[{n}].prompt": one.prompt for n, one in enumerate(wanted) if one.prompt},
        size=(32, 16),
    )


def test_nothing_said_is_one_picture() -> None:
    """Adapters without a region make none."""
    assert read(at=("", "")) == ()


def test_rest_comes_first_and_has_the_prompt() -> None:
    """What nobody covers is a part like others, without a name."""
    rest, left = read(LEFT, at=("left", ""))

    assert (rest.name, rest.prompt, rest.is_named) == ("", "a cat", False)
    assert (left.name, left.boxes, left.prompt) == ("left", "0,0,0.5,1", "a cat")
    assert left.is_named and not left.has_own_prompt
    assert left.shares.tolist() == [[1, 1, 0, 0]] * 2
    assert rest.shares.tolist() == [[0, 0, 1, 1]] * 2


def test_whole_cover_leaves_no_rest() -> None:
    """Two halves are two parts, and a prompt of its own is reason enough for one."""
    left, right = read(LEFT, RIGHT, at=("left",))

    assert (left.prompt, right.prompt, right.has_own_prompt) == ("a cat", "a dog", True)


def test_boxes_of_an_adapter_are_a_region() -> None:
    """Adapters of the same boxes share it; it is named by them."""
    rest, box = read(at=("0,0,0.25,1", "0,0,0.25,1"))

    assert (rest.name, box.name, box.boxes) == ("", "0,0,0.25,1", "0,0,0.25,1")
    assert not box.is_named


def test_mask_is_told_by_its_digest() -> None:
    """Grey is so much of a pixel."""
    mask = MaskFile(pixels=np.full((16, 32), 51, np.uint8), sha256="ab")

    rest, hat = read(MASKED, at=("hat",), m0=mask)

    assert (hat.name, hat.boxes, hat.mask_sha256) == ("hat", "", "ab")
    assert np.allclose(hat.shares, 0.2) and np.allclose(rest.shares, 0.8)
    assert hat.is_named


def refusal(*wanted: WantedRegion, at: tuple[str, ...] = (), **masks: Any) -> Violation:
    """What is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        read(*wanted, at=at, **masks)
    (violation,) = caught.value.violations
    return violation


BLACK = MaskFile(pixels=np.zeros((16, 32), np.uint8), sha256="ab")


@pytest.mark.parametrize(
    ("wanted", "at", "reason", "field", "told"),
    [
        ([LEFT], ("left", "top"), "REGION_UNKNOWN", "adapters", "'top'"),
        ([LEFT], (), "REGION_UNUSED", "regions[0]", "'left'"),
        ([LEFT, MASKED], ("left",), "REGION_UNUSED", "regions[1]", "'hat'"),
        ([MASKED], ("hat",), "REGION_EMPTY", "regions[0].mask", "'hat' covers nothing"),
        ([], ("0,0,0.001,1",), "REGION_EMPTY", "adapters", "0,0,0.001,1"),
        ([], ("0,0,1.5,1",), "REGION_OUT_OF_RANGE", "adapters", "0,0,1.5,1"),
        ([], ("-0.1,0,1,1",), "REGION_OUT_OF_RANGE", "adapters", "-0.1,0,1,1"),
        ([], ("0.5,0,0.5,1",), "REGION_OUT_OF_RANGE", "adapters", "0.5,0,0.5,1"),
        ([], ("0,1,1,0",), "REGION_OUT_OF_RANGE", "adapters", "0,1,1,0"),
        (
            [WantedRegion(name="a", boxes="0,0,9,1", prompt="x")],
            (),
            "REGION_OUT_OF_RANGE",
            "regions[0].boxes",
            "0,0,9,1",
        ),
        (
            [WantedRegion(name="a", boxes="0,0,1", prompt="x")],
            (),
            "CONTROL_MALFORMED",
            "regions[0].boxes",
            "at character 1",
        ),
        ([LEFT, RIGHT], ("left", "0,0,1,1", "0,0,0.1,1"), "TOO_MANY_REGIONS", "regions", "4"),
    ],
)
def test_what_cannot_be_is_refused(
    wanted: list[WantedRegion], at: tuple[str, ...], reason: str, field: str, told: str
) -> None:
    """The field, the value, and in the hint what is allowed."""
    found = refusal(*wanted, at=at, m0=BLACK)

    assert (found.reason, found.field) == (reason, field)
    assert told in found.description
    assert found.hint


def test_unknown_region_is_told_the_known_ones() -> None:
    """By name."""
    assert "its regions: left, right" in refusal(LEFT, RIGHT, at=("left", "top")).hint


@pytest.mark.parametrize(
    ("one", "reason", "field"),
    [
        (WantedRegion(name="", boxes="0,0,1,1"), "FIELD_INVALID", "regions[1].name"),
        (WantedRegion(name="0,0,1,1", boxes="0,0,1,1"), "FIELD_INVALID", "regions[1].name"),
        (WantedRegion(name="a" * 33, boxes="0,0,1,1"), "FIELD_INVALID", "regions[1].name"),
        (WantedRegion(name="left", boxes="0,0,1,1"), "FIELD_INVALID", "regions[1].name"),
        (WantedRegion(name="a", boxes="0,0,1,1", mask=b""), "CONTROL_CONTRADICTED", "regions[1]"),
        (WantedRegion(name="a"), "REGION_EMPTY", "regions[1]"),
    ],
)
def test_definition_says_one_thing_once(one: WantedRegion, reason: str, field: str) -> None:
    """A name of its own, and boxes or a mask."""
    (violation,) = READER.check([LEFT, one])

    assert (violation.reason, violation.field) == (reason, field)


def test_hundred_regions_are_counted_before_anything_else() -> None:
    """By the setting."""
    many = [WantedRegion(name=f"r{n}", boxes="0,0,1,1") for n in range(100)]

    (violation,) = READER.check(many)

    assert violation.reason == "TOO_MANY_REGIONS"
    assert "100 regions" in violation.description and "3" in violation.description
