# SPDX-License-Identifier: Apache-2.0
"""Closed sets by short names, both ways."""

from typing import get_args

import pytest

import tabard
from tabard import convert, enums
from tabard.v1 import adapter_pb2
from tabard_server.engine.sampling.samplers import SAMPLERS


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


def test_types_name_the_same_sets() -> None:
    """What an editor offers is what the API has, and what the server draws with."""
    assert get_args(enums.Purpose) == enums.PURPOSES
    assert {*get_args(enums.Kind), "recipe"} == set(enums.KINDS)  # recipes have a verb of their own
    assert get_args(enums.PromptSyntax) == enums.PROMPT_SYNTAXES
    assert get_args(enums.TokenMatch) == enums.TOKEN_MATCHES
    assert get_args(enums.FileFormat) == enums.FILE_FORMATS
    assert sorted(get_args(enums.Sampler)) == sorted(SAMPLERS)


def test_near_name_is_told() -> None:
    """A mistyped word is answered with the nearest."""
    with pytest.raises(tabard.InvalidArgument, match="did you mean 'whole'"):
        enums.member_number(enums.TOKEN_MATCH, "whol", what="token match")
