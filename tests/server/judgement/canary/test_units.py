# SPDX-License-Identifier: Apache-2.0
"""What is counted once."""

import hashlib

import pytest

from tabard_server.judgement.canary.units import Complaint, Pair, unit_of


def test_spelling_makes_no_new_unit() -> None:
    """Case, width and spacing change no picture enough to make a prompt fresh."""
    assert unit_of("A  Red\tFox ") == unit_of("a red fox") == unit_of("\uff41 red fox")
    assert unit_of("a red fox") == unit_of("a\u200b red\u00ad fox\ufeff")
    assert unit_of("a red fox") != unit_of("a red fix")


def test_unit_can_be_found_by_its_prompt() -> None:
    """Who knows a prompt finds its digest with any tool: it is the SHA-256 of the plain text."""
    prompt = "a red circle on a white background"

    assert unit_of(f" {prompt.title()} ") == hashlib.sha256(prompt.encode()).hexdigest()


@pytest.mark.parametrize("difference", [None, float("nan"), float("inf")])
def test_unjudged_pair_is_refused(difference: float | None) -> None:
    """A scorer that says nothing must not be taken for one that found nothing."""
    with pytest.raises(ValueError):
        Pair(unit="a", difference=difference)


def test_broken_pair_needs_no_score() -> None:
    """There is nothing to score of a picture that is not there."""
    assert Pair(unit="a", difference=None, candidate_is_broken=True).candidate_is_broken


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_complaint_needs_two_releases(share: float) -> None:
    """If all traffic is the canary's, its share of complaints says nothing."""
    with pytest.raises(ValueError):
        Complaint(unit="a", is_loss=True, share=share)
