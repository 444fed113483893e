# SPDX-License-Identifier: Apache-2.0
"""Limits that depend on each other, and what a request may be read as when it says nothing."""

import pytest

from tabard_server.errors import BadSettings
from tabard_server.limits import MEBIBYTE, Limits
from tabard_server.settings import Defaults
from tabard_server.settings_sources import load_settings


def test_largest_request_fits_into_a_message() -> None:
    """By default the largest pictures and prompts are no message too large."""
    limits = Limits()

    assert limits.request_bytes_max <= limits.message_bytes_max


@pytest.mark.parametrize(
    "said", [{"message_bytes_max": MEBIBYTE}, {"picture_bytes_max": 16 * MEBIBYTE}]
)
def test_limits_that_contradict_stop_the_start(said: dict[str, int]) -> None:
    """A picture that is allowed and cannot arrive would be a riddle for its sender."""
    with pytest.raises(BadSettings) as caught:
        Limits(**said)

    assert "message_bytes_max" in str(caught.value)
    assert "picture_bytes_max" in caught.value.hint


def test_unknown_default_syntax_stops_the_start() -> None:
    """A syntax is named, or refused with the names there are."""
    with pytest.raises(BadSettings, match="prompt_syntax") as caught:
        load_settings(environment={"TABARD_DEFAULTS_PROMPT_SYNTAX": "compel"})

    assert "a1111" in caught.value.hint
    assert Defaults(prompt_syntax="a1111").prompt_syntax == "a1111"
