# SPDX-License-Identifier: Apache-2.0
"""Reading evidence: which document is meant, which pictures are given, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabard_registry import Grants, Registry, Release, Role, sha256_bytes
from tabard_registry.errors import CorruptRegistry, NotFound, PreconditionFailed
from tabard_registry.evidence.documents import Previews, to_bytes
from tabard_registry.evidence.report import Picture
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.evidence.shelf import Shelf, pictures_of
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

REF = ref("1.0.0")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open((tmp_path / "registry").as_uri())


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """One release with a report."""
    made = publish(registry, "1.0.0", folder=tmp_path).release
    put_report(registry, made)
    return made


def shelf(registry: Registry, *, bytes_max: int = 1_000) -> Shelf:
    """What reads it."""
    return Shelf(registry, picture_bytes_max=bytes_max)


def test_notes_are_newest_first(registry: Registry, release: Release) -> None:
    """Of all kinds, or of one."""
    registry.evidence.put(references_of(release, *PICTURES), author=ANN, blobs=PICTURES)
    put_report(registry, release, outcome="looked at")

    notes = shelf(registry).notes(REF, grants=EVERYTHING)
    reports = shelf(registry).notes(REF, grants=EVERYTHING, kind="report")

    assert [one.kind for one in notes] == ["report", "references", "report"]
    assert reports == (notes[0], notes[2])


def test_document_is_found_by_its_first_digits(registry: Registry, release: Release) -> None:
    """With the word before them or without; without any it is the newest report."""
    newest = put_report(registry, release, outcome="looked at").note.document
    first = shelf(registry).notes(REF, grants=EVERYTHING)[1].document

    found = [
        shelf(registry).document(REF, digest=said, grants=EVERYTHING).note.document
        for said in (str(first), first.hex[:12], f"sha256:{first.hex[:20].upper()}".lower(), "")
    ]

    assert found == [first, first, first, newest]
    assert shelf(registry).document(REF, grants=EVERYTHING).content == to_bytes(
        report_on(release, outcome="looked at")
    )


@pytest.mark.parametrize("said", ["sha256:abc", "0" * 64, "nothing", "a" * 11, "*"])
def test_unknown_document_is_refused(registry: Registry, release: Release, said: str) -> None:
    """Too few digits, others, or none at all."""
    with pytest.raises(NotFound) as refused:
        shelf(registry).document(REF, digest=said, grants=EVERYTHING)

    assert refused.value.reason == "EVIDENCE_NOT_FOUND"
    assert "tabard evidence list" in refused.value.hint


def test_kind_without_document_is_refused(registry: Registry, release: Release) -> None:
    """There are reports only."""
    with pytest.raises(NotFound, match="no previews on"):
        shelf(registry).document(REF, kind="previews", grants=EVERYTHING)


def test_listed_picture_is_given(registry: Registry, release: Release) -> None:
    """By its document; the blob of another thing is none, though it lies there."""
    digest = shelf(registry).notes(REF, grants=EVERYTHING)[0].document.hex
    reader = shelf(registry)

    png = reader.picture(REF, evidence=digest, digest=sha256_bytes(PICTURES[2]), grants=EVERYTHING)

    assert png == PICTURES[2]
    assert registry.blobs.is_there(release.digest)
    for other in (release.digest, sha256_bytes(to_bytes(grid())), release.original[0]):
        with pytest.raises(NotFound) as refused:
            reader.picture(REF, evidence=digest, digest=other, grants=EVERYTHING)
        assert refused.value.reason == "EVIDENCE_NOT_FOUND"


def test_private_evidence_is_not_there(registry: Registry, release: Release) -> None:
    """To who may not generate in the namespace, the release itself is not."""
    registry.set_policy("acme", author=ANN, private=True)
    stranger = Grants({"beta": frozenset({Role.GENERATE})})
    (note,) = shelf(registry).notes(REF, grants=EVERYTHING)

    with pytest.raises(NotFound) as refused:
        shelf(registry).picture(
            REF, evidence=note.document.hex, digest=sha256_bytes(PICTURES[0]), grants=stranger
        )

    assert refused.value.reason == "ADAPTER_NOT_FOUND"
    assert "report" not in str(refused.value)


def test_purged_release_has_no_pictures(registry: Registry, release: Release) -> None:
    """Its documents stay."""
    (note,) = shelf(registry).notes(REF, grants=EVERYTHING)
    registry.purge(REF, author=ANN)

    assert shelf(registry).document(REF, grants=EVERYTHING).note.document == note.document
    with pytest.raises(PreconditionFailed) as refused:
        shelf(registry).picture(
            REF, evidence=note.document.hex, digest=sha256_bytes(PICTURES[0]), grants=EVERYTHING
        )
    assert refused.value.reason == "RELEASE_PURGED"


def test_large_picture_is_not_read(registry: Registry, release: Release) -> None:
    """What was put there by other means does not fill the memory."""
    (note,) = shelf(registry).notes(REF, grants=EVERYTHING)

    with pytest.raises(CorruptRegistry):
        shelf(registry, bytes_max=4).picture(
            REF, evidence=note.document.hex, digest=sha256_bytes(PICTURES[0]), grants=EVERYTHING
        )


def test_pictures_of_every_kind(release: Release) -> None:
    """A report's, references, previews; a grid has none."""
    digests = tuple(map(sha256_bytes, PICTURES))
    cells = tuple(Picture(image=one, prompt=0, seed=n) for n, one in enumerate(digests))

    assert pictures_of(report_on(release)) == digests
    assert pictures_of(references_of(release, *PICTURES)) == digests
    assert pictures_of(Previews(release=subject_of(release), cells=cells)) == digests
    assert pictures_of(grid()) == ()
