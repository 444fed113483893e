# SPDX-License-Identifier: Apache-2.0
"""Numbers and articles go with their words."""

import pytest

from tabard_registry.grammar import counted, with_article


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 keys fit"), (1, "1 key fits"), (2, "2 keys fit")]
)
def test_numbers_go_with_their_verbs(count: int, told: str) -> None:
    """One does, several do, and so does none."""
    assert counted(count, "key", verbs=("fits", "fit")) == told


def test_numbers_need_no_verb() -> None:
    """A noun alone."""
    assert (counted(1, "layer"), counted(3, "layer")) == ("1 layer", "3 layers")


@pytest.mark.parametrize(
    ("noun", "told"), [("int", "an int"), ("AutoencoderKL", "an AutoencoderKL"), ("str", "a str")]
)
def test_articles_go_with_their_nouns(noun: str, told: str) -> None:
    """By the letter that it begins with."""
    assert with_article(noun) == told
