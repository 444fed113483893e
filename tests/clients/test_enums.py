# SPDX-License-Identifier: Apache-2.0
"""Closed sets by short names, both ways."""

import pytest

import tabard
from tabard import convert, enums
from tabard.v1 import adapter_pb2


def test_names_are_those_of_the_members() -> None:
    """Without the enum's own, and without the one that says nothing."""
    assert enums.KINDS == ("lora", "textual_inversion", "dreambooth", "recipe")
    assert enums.PROMPT_SYNTAXES == ("plain", "a1111")
    assert enums.FILE_FORMATS == ("original", "canonical", "kohya", "diffusers")


@pytest.mark.parametrize("kind", enums.KINDS)
def test_kinds_go_both_ways(kind: str) -> None:
    """What is sent as a name comes back as one."""
    number = enums.member_number(enums.KIND, kind, what="kind")

    assert convert.read_release(adapter_pb2.Release(kind=number)).kind == kind


def test_silence_stays_silence() -> None:
    """And what is newer than this SDK is no other thing."""
    assert enums.member_number(enums.KIND, "", what="kind") == 0
    assert enums.member_name(enums.KIND, 0) == enums.member_name(enums.KIND, 99) == ""


@pytest.mark.parametrize("name", ["poem", "unspecified"])
def test_unknown_name_says_the_known_ones(name: str) -> None:
    """In the hint."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        enums.member_number(enums.TOKEN_MATCH, name, what="token match")

    assert (caught.value.reason, caught.value.hint) == (
        "TOKEN_MATCH_UNKNOWN",
        "use one of: whole, anywhere",
    )
