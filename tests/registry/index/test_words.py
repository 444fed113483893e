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


@pytest.mark.parametrize(
    ("notes", "typed"),
    [
        ("painted on paper", "paintings"),
        ("a painting", "painted"),
        ("stories of old", "story"),
        ("one story", "stories"),
        ("happiness", "happines"),
        ("watercolour", "waterc"),
    ],
)
def test_words_are_found_by_their_stem(notes: str, typed: str) -> None:
    """Whatever form is typed, or however much of it."""
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), {"notes": notes})]]))

    [hit] = index.search(typed, limit=5)

    assert (hit.snippet, hit.found_in) == (notes, ("notes",))


def test_form_that_was_typed_ranks_first() -> None:
    """Its stem is found as well, behind it."""
    stem = noted_publication((INK, "1.0.0"), {"notes": "paint"})
    typed = noted_publication((OIL, "1.0.0"), {"notes": "paintings"})
    index = index_of(FakeJournal([[stem], [typed]]))

    assert [hit.adapter for hit in index.search("paintings", limit=5)] == [OIL, INK]


def test_words_of_two_releases_are_not_glued() -> None:
    """A line is found by what one of its releases says, and not by halves of two."""
    first = noted_publication((INK, "1.0.0"), {"notes": "soft watercolor"})
    second = noted_publication((INK, "1.1.0"), {"notes": "hard charcoal"})
    index = index_of(FakeJournal([[first], [second]]))

    [hit] = index.search("soft water", limit=5)

    assert (hit.snippet, hit.version) == ("soft watercolor", "1.0.0")
    assert index.search("soft charcoal", limit=5) == ()


def test_many_releases_do_not_bury_the_best() -> None:
    """A line ranks by its best release, and not by how much all of them say."""
    long = [
        noted_publication((INK, version), {"notes": f"filler {version} " * 50})
        for version in ("1.1.0", "1.2.0")
    ]
    best = noted_publication((INK, "1.0.0"), {"notes": "charcoal"})
    other = noted_publication((OIL, "1.0.0"), {"notes": "charcoal and several other words"})
    index = index_of(FakeJournal([[best], [other], *[[one] for one in long]]))

    found = [(hit.adapter, hit.version) for hit in index.search("charcoal", limit=5)]

    assert found == [(INK, "1.0.0"), (OIL, "1.0.0")]


def test_hit_says_why_it_is_one() -> None:
    """Every field that holds one of the words; nothing is cut from what does not."""
    said = {"notes": "dry paper", "title": "Ink wash"}
    index = index_of(FakeJournal([[noted_publication((INK, "1.0.0"), said)]]))

    [both] = index.search("ink dry", limit=5)
    [named] = index.search("acme", limit=5)

    assert (both.snippet, both.found_in) == ("dry paper", ("name", "title", "notes"))
    assert (named.snippet, named.found_in) == ("", ("name",))


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
