# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry, ReleaseDraft, Version
from tabard_registry.errors import InvalidField
from tabard_registry.release.release import (
    SUMMARY_TRAINING_KEYS_MAX,
    publication_of,
    summarise,
)
from tabard_registry.release.words import (
    LICENCE_CHARS_MAX,
    NOTES_CHARS_MAX,
    TITLE_CHARS_MAX,
    TRIGGER_WORD_CHARS_MAX,
    TRIGGER_WORDS_MAX,
)
from tests.registry.fakes import NAME, publish, small_manifest


def test_release_matches_its_manifest(registry: Registry, tmp_path: Path) -> None:
    """What list shows without reading a blob is what the manifest says."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    manifest = registry.manifest(release.digest)

    assert manifest.digest == release.digest
    assert (manifest.adapter, manifest.version) == (NAME, release.version)
    assert (release.kind, release.rank, release.target_count) == ("lora", 2, len(manifest.targets))
    assert release.original == tuple(blob.sha256 for blob in manifest.original)
    assert release.resident_bytes == manifest.canonical.bytes


@pytest.mark.parametrize(
    "field",
    [{"notes": "a\x1b"}, {"licence": "MIT\n"}, {"title": "a\x9b"}, {"trigger_words": ("a\0",)}],
)
def test_draft_holds_no_controls(field: dict[str, Any]) -> None:
    """What will be shown to everybody steers nobody's terminal; notes may have lines."""
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"), notes="one\r\n\ttwo")

    with pytest.raises(InvalidField, match="control character"):
        replace(draft, **field)


def test_adapters_list_newest_first(registry: Registry, tmp_path: Path) -> None:
    """Releases are listed by descending version, whenever they were published."""
    for version in ("1.10.0", "1.2.0", "2.0.0-rc.1"):
        publish(registry, version, folder=tmp_path)

    (adapter,) = registry.state.adapters_after()

    assert [str(r.version) for r in adapter.releases] == ["2.0.0-rc.1", "1.10.0", "1.2.0"]


@pytest.mark.parametrize(
    ("field", "most", "more"),
    [
        ("notes", "n" * NOTES_CHARS_MAX, "n" * (NOTES_CHARS_MAX + 1)),
        ("title", "t" * TITLE_CHARS_MAX, "t" * (TITLE_CHARS_MAX + 1)),
        ("licence", "l" * LICENCE_CHARS_MAX, "l" * (LICENCE_CHARS_MAX + 1)),
        ("trigger_words", ("w",) * TRIGGER_WORDS_MAX, ("w",) * (TRIGGER_WORDS_MAX + 1)),
        ("trigger_words", ("w" * TRIGGER_WORD_CHARS_MAX,), ("w" * (TRIGGER_WORD_CHARS_MAX + 1),)),
        ("purpose", "style", "fun"),
        ("kind", "dreambooth", "sculpture"),
    ],
)
def test_draft_is_bounded(field: str, most: object, more: object) -> None:
    """The bound itself is taken; beyond it there is no draft."""
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    assert getattr(replace(draft, **{field: most}), field) == most

    with pytest.raises(InvalidField):
        replace(draft, **{field: more})


def test_log_repeats_little_of_training() -> None:
    """Long fields and those beyond a number stay in the manifest alone."""
    training = {f"key {number:03d}": "v" for number in range(100)} | {"a": "x" * 300}

    summary = summarise(replace(small_manifest("1.0.0"), training=training))

    assert list(summary["training"]) == sorted(training)[1 : SUMMARY_TRAINING_KEYS_MAX + 1]


@pytest.mark.parametrize("standing", ["yanked", "quarantined", "purged"])
def test_withdrawn_release_is_not_chosen(standing: str, registry: Registry, tmp_path: Path) -> None:
    """Any of the three is enough."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    assert release.is_choosable

    assert not replace(release, **{standing: True}).is_choosable


def test_publication_is_an_entry(registry: Registry, tmp_path: Path) -> None:
    """What history tells of a publication is made of the release."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    assert registry.queries.history(NAME) == (publication_of(release),)
