# SPDX-License-Identifier: Apache-2.0
"""Words are amended by a record: what is shown changes, and nothing that draws."""

from pathlib import Path
from typing import Any

import pytest

from tabard_registry import AdapterRef, Author, Registry, ReleaseDraft, Version
from tabard_registry.acts.words import edit
from tabard_registry.errors import InvalidField, NotFound
from tabard_registry.state.recipes import manifest_of
from tests.registry.fakes import NAME, publish, ref

ANN = Author(actor="ann", reason="a typo")


@pytest.fixture
def inked(registry: Registry, tmp_path: Path) -> Registry:
    """A registry with one release."""
    publish(registry, "1.0.0", folder=tmp_path)
    return registry


def test_words_change_and_the_manifest_stays(inked: Registry) -> None:
    """Digest, bytes and manifest are those of the publication; what is shown is new."""
    before = inked.state.find(ref("1.0.0"))
    manifest = inked.manifest(before.digest)

    after = inked.edit(
        ref("1.0.0"), words={"notes": "soft", "trigger_words": ["inkwash"]}, author=ANN
    ).subject

    assert (after.notes, after.trigger_words, after.licence) == ("soft", ("inkwash",), "")
    assert (after.digest, after.blobs, after.seq) == (before.digest, before.blobs, before.seq)
    assert inked.manifest(after.digest) == manifest
    assert manifest.digest == after.digest


def test_edit_is_in_the_history(inked: Registry) -> None:
    """Who, why, and which words."""
    inked.edit(ref("1.0.0"), words={"licence": "MIT", "trigger_words": ["x"]}, author=ANN)

    entry = inked.queries.history(NAME)[-1]

    assert (entry.type, entry.actor, entry.reason) == ("edit", "ann", "a typo")
    assert (entry.effective, entry.note) == (True, "licence, trigger words")


def test_edited_words_are_found(inked: Registry) -> None:
    """Search looks at what is shown, and no longer at what was."""
    inked.edit(ref("1.0.0"), words={"notes": "soft"}, author=ANN)
    assert inked.queries.search("soft")

    inked.edit(ref("1.0.0"), words={"notes": "hard"}, author=ANN)

    assert not inked.queries.search("soft")
    assert inked.queries.search("hard")


def test_same_words_write_nothing(inked: Registry) -> None:
    """Said again, they are the state already."""
    done = [
        inked.edit(ref("1.0.0"), words={"notes": "soft", "trigger_words": ["a"]}, author=ANN)
        for _ in range(2)
    ]

    assert [one.changed for one in done] == [True, False]
    assert inked.seq == 2


def test_empty_word_is_taken_away(inked: Registry) -> None:
    """Nothing said of a word leaves it; an empty one takes it away."""
    inked.edit(ref("1.0.0"), words={"notes": "soft", "licence": "MIT"}, author=ANN)

    after = inked.edit(ref("1.0.0"), words={"notes": ""}, author=ANN).subject

    assert (after.notes, after.licence) == ("", "MIT")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({}, "nothing"),
        ({"version": "2.0.0"}, "nothing"),
        ({"notes": "n" * 8_001}, "notes"),
        ({"licence": "a\x1b"}, "licence"),
        ({"purpose": "fun"}, "purpose"),
        ({"trigger_words": ["w"] * 33}, "trigger words"),
    ],
)
def test_words_that_cannot_be_are_refused(words: dict[str, Any], field: str) -> None:
    """Before anything is planned, by name."""
    with pytest.raises(InvalidField, match=field):
        edit(ref("1.0.0"), words=words)


def test_edit_needs_an_exact_ref(inked: Registry) -> None:
    """A channel may mean another release tomorrow; a release must be there."""
    with pytest.raises(InvalidField) as caught:
        edit(ref("stable"), words={"notes": "x"})
    with pytest.raises(NotFound):
        inked.edit(ref("9.9.9"), words={"notes": "x"}, author=ANN)

    assert caught.value.reason == "EXACT_REF_REQUIRED"


def test_edited_recipe_is_still_what_its_digest_says(inked: Registry) -> None:
    """Its manifest is written from the log, with the words of its publication."""
    mixed = ReleaseDraft(adapter=NAME, version=Version.parse("2.0.0"), notes="half", title="Mix")
    members = [AdapterRef.parse(f"{NAME}@1.0.0:0.5")]
    inked.publish_recipe(mixed, members=members, author=ANN)

    for notes in ("more", "most"):
        after = inked.edit(ref("2.0.0"), words={"notes": notes, "title": ""}, author=ANN).subject

    assert (after.notes, after.title) == ("most", "")
    assert manifest_of(after).digest == after.digest
