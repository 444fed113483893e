# SPDX-License-Identifier: Apache-2.0
"""What says nothing is left out, and 0 says something."""

import pytest

from tabard_web.a1111.requests import Txt2Img
from tabard_web.jobs.requests import JobRequest
from tabard_web.openai.requests import GenerationRequest
from tabard_web.options import options_of
from tabard_web.page.drawing import DrawRequest


def test_what_says_nothing_is_left_out() -> None:
    """Nothing, no words, an empty list, and what is switched off."""
    said = {"a": None, "b": "", "c": (), "d": False, "e": 0, "f": 0.0, "g": "x", "h": True}

    assert options_of(said) == {"e": 0, "f": 0.0, "g": "x", "h": True}


@pytest.mark.parametrize("kind", [DrawRequest, GenerationRequest, JobRequest])
def test_zero_is_asked_for(
    kind: type[DrawRequest] | type[GenerationRequest] | type[JobRequest],
) -> None:
    """A seed of 0 is no random one, and no guidance is no usual one: at every door."""
    options = kind(prompt="a", seed=0, guidance_scale=0.0).options

    assert (options["seed"], options["guidance_scale"]) == (0, 0.0)


def test_zero_is_asked_for_in_words_of_a1111() -> None:
    """There guidance has another name."""
    options = Txt2Img(seed=0, cfg_scale=0.0).options

    assert (options["seed"], options["guidance_scale"]) == (0, 0.0)
