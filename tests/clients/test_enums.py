# SPDX-License-Identifier: Apache-2.0
"""Closed sets by short names, both ways."""

from typing import Any, get_args

import pytest

import tabard
from tabard import convert, enums
from tabard.v1 import adapter_pb2, generation_service_pb2, registry_service_pb2, review_service_pb2
from tabard_server.engine_port.samplers import SAMPLERS
from tabard_server.engine_port.walk import SCHEDULES, TIMESTEP_SPACINGS

KIND = adapter_pb2.ReleaseKind.DESCRIPTOR
TOKEN_MATCH = generation_service_pb2.TokenMatch.DESCRIPTOR


def test_names_are_those_of_the_members() -> None:
    """Without the enum's own, and without the one that says nothing."""
    assert enums.KINDS == ("lora", "textual_inversion", "dreambooth")
    assert enums.PROMPT_SYNTAXES == ("plain", "a1111")
    assert enums.FILE_FORMATS == ("original", "canonical", "kohya", "diffusers")


@pytest.mark.parametrize("kind", enums.member_names(KIND))
def test_kinds_go_both_ways(kind: str) -> None:
    """What is sent as a name comes back as one."""
    number = enums.member_number(KIND, kind, what="kind")

    assert convert.read_release(adapter_pb2.Release(kind=number)).kind == kind


def test_silence_stays_silence() -> None:
    """And what is newer than this SDK is no other thing."""
    assert enums.member_number(KIND, "", what="kind") == 0
    assert enums.member_name(KIND, 0) == enums.member_name(KIND, 99) == ""


@pytest.mark.parametrize("name", ["poem", "unspecified"])
def test_unknown_name_says_the_known_ones(name: str) -> None:
    """In the hint."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        enums.member_number(TOKEN_MATCH, name, what="token match")

    assert (caught.value.reason, caught.value.hint) == (
        "TOKEN_MATCH_UNKNOWN",
        "use one of: whole, anywhere",
    )


@pytest.mark.parametrize(
    ("names", "enum"),
    [
        ((*enums.KINDS, "recipe"), KIND),  # recipes have a verb of their own
        (enums.PURPOSES, adapter_pb2.Purpose.DESCRIPTOR),
        (enums.PROMPT_SYNTAXES, generation_service_pb2.PromptSyntax.DESCRIPTOR),
        (enums.TOKEN_MATCHES, TOKEN_MATCH),
        (enums.FILE_FORMATS, registry_service_pb2.FileFormat.DESCRIPTOR),
        (enums.DECISIONS, review_service_pb2.ReviewDecision.DESCRIPTOR),
        (enums.PAIR_SIDES, review_service_pb2.PairSide.DESCRIPTOR),
        (enums.VOTE_CHOICES, review_service_pb2.VoteChoice.DESCRIPTOR),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_types_name_the_same_sets(names: tuple[str, ...], enum: Any) -> None:
    """What an editor and a command line offer is what the API has."""
    assert names == enums.member_names(enum)


def test_samplers_are_those_of_the_server() -> None:
    """What an editor offers is what the server draws with."""
    assert sorted(get_args(enums.Sampler)) == sorted(SAMPLERS)
    assert tuple(SCHEDULES) == enums.SCHEDULES
    assert enums.TIMESTEP_SPACINGS == TIMESTEP_SPACINGS


def test_near_name_is_told() -> None:
    """A mistyped word is answered with the nearest."""
    with pytest.raises(tabard.InvalidArgument, match="did you mean 'whole'"):
        enums.member_number(TOKEN_MATCH, "whol", what="token match")


def test_unknown_name_is_told_with_its_field() -> None:
    """A form marks the field; what has a verb of its own is not offered."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        enums.member_number(KIND, "lorra", what="kind", offered=enums.KINDS)

    assert caught.value.hint == "use one of: lora, textual_inversion, dreambooth"
    assert [one.field for one in caught.value.violations] == ["kind"]
