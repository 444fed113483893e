# SPDX-License-Identifier: Apache-2.0
"""Which documents there are, newest first, and what each of them shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabard_registry import Grants, Registry, Role, sha256_bytes
from tabard_registry.content.blobs import blob_key
from tabard_registry.evidence.documents import Previews
from tabard_registry.evidence.report import Picture, PromptNote
from tabard_registry.state.sight import seen_by
from tabard_server.evidence import album as album_module
from tabard_server.evidence.album import Album, Shown, shown_by
from tests.registry.evidence.reports import (
    ANN,
    PICTURES,
    grid,
    put_report,
    references_of,
    report_on,
    subject_of,
)
from tests.registry.fakes import publish, ref

DIGESTS = tuple(map(sha256_bytes, PICTURES))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open((tmp_path / "registry").as_uri())


def test_documents_come_newest_first(registry: Registry, tmp_path: Path) -> None:
    """Also those that came since the last look, of lines that had none before."""
    first = publish(registry, "1.0.0", folder=tmp_path).release
    album = Album(registry)
    none = album.pages(registry.state)
    put_report(registry, first)
    put_report(registry, first, outcome="looked at")

    pages, is_whole = album.pages(registry.state)

    assert none == ([], True)
    assert is_whole
    assert [page.note.told.seq for page in pages] == [3, 2]
    assert [one.image for one in album.shown(pages[0])] == list(DIGESTS)
    assert album.is_known(pages[0]) and not album.is_known(pages[1])


def test_number_is_bounded(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are looked into, and it is said that there are others."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    for words in "abc":
        put_report(registry, release, outcome=words)
    monkeypatch.setattr(album_module, "DOCUMENTS_MAX", 2)

    pages, is_whole = Album(registry).pages(registry.state)

    assert ([page.note.told.seq for page in pages], is_whole) == ([4, 3], False)


def test_only_what_is_seen_is_there(registry: Registry, tmp_path: Path) -> None:
    """Nothing of a private namespace, and nothing of a release that was purged."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    put_report(registry, release)
    registry.set_policy("acme", private=True, author=ANN)
    stranger = Grants({"beta": frozenset({Role.GENERATE})})
    album = Album(registry)

    assert len(album.pages(registry.state)[0]) == 1
    assert album.pages(seen_by(registry.state, stranger))[0] == []
    registry.purge(ref("1.0.0"), author=ANN)
    assert album.pages(registry.state)[0] == []


def test_lost_document_shows_nothing(registry: Registry, tmp_path: Path) -> None:
    """The others are still searched."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    note = put_report(registry, release).note
    registry.store.delete(blob_key(note.document))
    album = Album(registry)

    (page,) = album.pages(registry.state)[0]

    assert album.shown(page) == ()


def test_every_kind_shows_its_pictures(registry: Registry, tmp_path: Path) -> None:
    """Each says whose it is."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    against = Picture(image=DIGESTS[3], prompt=2, seed=7)
    noted = PromptNote(prompt="x", seed=1, reference=DIGESTS[2])
    report = report_on(release, candidates=(), baseline=(against,), prompt_record=(noted,))
    cells = (Picture(image=DIGESTS[0], prompt=0, seed=1),)

    assert shown_by(report) == (Shown("against", DIGESTS[3], 2, 7), Shown("reference", DIGESTS[2]))
    assert {one.side for one in shown_by(references_of(release, *PICTURES))} == {"reference"}
    previews = Previews(release=subject_of(release), cells=cells)
    assert shown_by(previews) == (Shown("preview", DIGESTS[0], 0, 1),)
    assert shown_by(grid()) == ()
