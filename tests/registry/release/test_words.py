# SPDX-License-Identifier: Apache-2.0
"""Words of a release, and what the log may say of them."""

from typing import Any

import pytest

from tabard_registry.release.words import WORDS, Words, read_amendment


def test_words_are_written_and_read() -> None:
    """All of them, and equal afterwards."""
    words = Words(notes="a", licence="MIT", title="Ink", purpose="style", trigger_words=("x", "y"))

    assert Words(**read_amendment(words.to_json())) == words
    assert set(words.to_json()) == set(WORDS)


def test_amendment_holds_what_is_said() -> None:
    """And nothing else."""
    assert read_amendment({"notes": "", "trigger_words": ["x"]}) == {
        "notes": "",
        "trigger_words": ("x",),
    }


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"version": "1.0.0"},
        {"notes": 1},
        {"trigger_words": "x"},
        {"trigger_words": [1]},
        {"purpose": "fun"},
    ],
)
def test_other_amendments_are_refused(said: dict[str, Any]) -> None:
    """The fold takes a malformed act for one without effect."""
    with pytest.raises(ValueError, match=r"amends|texts|purpose"):
        read_amendment(said)
