# SPDX-License-Identifier: Apache-2.0
"""Words of a closed set, however they are written."""

import click
import pytest

from tabard.cli.choices import Named, nearest


@pytest.mark.parametrize(
    ("word", "found"), [("Euler_A", "euler_a"), ("eulr_a", "euler_a"), ("xyz", None)]
)
def test_nearest_word_is_found(word: str, found: str | None) -> None:
    """Or none, when none is near."""
    assert nearest(word, ("ddim", "euler_a")) == found


def test_choice_takes_any_case() -> None:
    """And gives the word as it is known."""
    assert Named(("style", "subject")).convert("STYLE", None, None) == "style"


@pytest.mark.parametrize(("word", "meant"), [("stile", " Did you mean 'style'?"), ("poem", "")])
def test_wrong_choice_names_the_nearest(word: str, meant: str) -> None:
    """Behind all that there are."""
    with pytest.raises(click.BadParameter) as caught:
        Named(("style", "subject")).convert(word, None, None)

    assert caught.value.message == f"'{word}' is not one of 'style', 'subject'.{meant}"
