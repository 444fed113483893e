# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry.index import words
from tests.registry.described_logs import FakeJournal, noted_publication
from tests.registry.index.small_index import INDEX, INK, OIL, index_of
from tests.registry.random_logs import LINES


def test_snippet_shows_the_place() -> None:
    """The snippet is cut around the word that was found."""
    words = f"{'snow ' * 60}a lonely watercolor {'snow ' * 60}"
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), {"notes": words})]]))

    [hit] = index.search("WATERC", limit=5)

    assert "lonely watercolor snow" in hit.snippet
    assert hit.snippet.startswith("…") and hit.snippet.endswith("…")


def test_accents_are_not_needed() -> None:
    """What is written with accents is found without them, and shown with them."""
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), {"notes": "Aquarellé"})]]))

    [hit] = index.search("aquarelle", limit=5)

    assert hit.snippet == "Aquarellé"


@pytest.mark.parametrize("typed", ["\u6c34\u5f69", "\u6c34"])
def test_titles_are_found_in_their_script(typed: str) -> None:
    """What people call it says as much as its name, and more than somebody's notes."""
    said = noted_publication((INK, "1.0.0"), {"title": "\u6c34\u5f69"})
    others = noted_publication((OIL, "1.0.0"), {"notes": "\u6c34\u5f69 \u6c34\u5f69"})
    index = index_of(FakeJournal([[others], [said]]))

    first, second = index.search(typed, limit=5)

    assert (first.adapter, second.adapter) == (INK, OIL)
    assert first.snippet == "\u6c34\u5f69"


@given(st.text(max_size=30) | st.text(alphabet='"*()^:-+{}, ANDORTEinkx', max_size=30))
@settings(max_examples=300)
def test_nothing_typed_is_syntax(typed: str) -> None:
    """Whatever people type is words."""
    for hit in INDEX.search(typed, limit=5):
        assert hit.adapter in LINES


@pytest.mark.parametrize(
    "typed", ["", " ", '"', "*", '""', "NEAR(", "name:", "-", "\0", "\ud800", "🎨", "ink" * 999]
)
def test_words_of_nothing_find_nothing(typed: str) -> None:
    """What holds no word of any line finds no line."""
    assert INDEX.search(typed, limit=5) == ()


@pytest.mark.parametrize("typed", ['"ink"', "ink*", "(ink", "ink AND", "acme/ink", "ínk", "INK"])
def test_words_are_found_in_any_dress(typed: str) -> None:
    """Marks around a word do not hide it, except where they are words themselves."""
    found = INDEX.search(typed, limit=5)

    assert bool(found) == (typed != "ink AND")


def test_too_many_words_are_cut() -> None:
    """Only the first words are looked for."""
    assert INDEX.search("ink " * words.WORDS_MAX + "absent", limit=5)
