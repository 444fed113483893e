# SPDX-License-Identifier: Apache-2.0
"""Reviews that are filed: what they may name, who sees them, and what upkeep makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Author, Registry, Release, sha256_bytes
from tabard_registry.errors import InvalidField, NotFound, RegistryError
from tabard_registry.evidence.documents import PAGE_BYTES_MAX
from tabard_registry.evidence.report import Against, Report
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.garbage import collect
from tabard_registry.upkeep.transfer import export_registry, import_registry
from tests.registry.evidence.reports import ANN, PICTURES, put_report, report_on, review_of
from tests.registry.fakes import publish, ref

PAGE = b"<!doctype html><title>review</title>"
REF = ref("1.0.0")


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """One release with a report."""
    made = publish(registry, "1.0.0", folder=tmp_path).release
    put_report(registry, made)
    return made


def file(registry: Registry, release: Release, *, page: bytes = PAGE, **fields: Any) -> bool:
    """File a review of its report; say whether that was new."""
    document = review_of(release, report_on(release), page=page, **fields)
    return registry.evidence.put(document, author=ANN, blobs=[page]).created


def test_review_is_seen_by_every_replica(registry: Registry, release: Release) -> None:
    """Also by one that begins with a checkpoint; the same again changes nothing."""
    assert (file(registry, release), file(registry, release)) == (True, False)
    registry.checkpoint()

    for other in (Registry.open(registry.url), registry):
        kept = other.evidence.newest(REF, kind="review")
        assert kept is not None
        assert kept.document == review_of(release, report_on(release), page=PAGE)
        assert other.blobs.read(sha256_bytes(PAGE), bytes_max=100) == PAGE
        # Gates and reviews are about the report, as before.
        assert other.state.find(REF).health.report is not None


def test_older_program_stops_at_it(registry: Registry, release: Release) -> None:
    """It would take the bytes for garbage."""
    file(registry, release)

    (record,) = registry.since(registry.seq - 1, limit=1)

    assert [one.version_min for one in record.record.actions] == [5]


def test_only_pictures_of_the_report_are_named(registry: Registry, release: Release) -> None:
    """Whatever a document lists is given out, and deleted with its release."""
    weights = release.original[0]
    foreign = registry.blobs.put_bytes(b"a picture of nothing here")
    seq = registry.seq

    for fields in (
        {"pictures": (weights,)},
        {"pictures": (foreign,)},
    ):
        with pytest.raises(NotFound) as refused:
            file(registry, release, **fields)
        assert refused.value.reason == "BLOB_NOT_FOUND"
    assert registry.seq == seq


def test_page_is_given_with_the_review(registry: Registry, release: Release) -> None:
    """Or anybody's weights could be named as one."""
    document = review_of(release, report_on(release), page=b"")
    named = document.__class__(
        release=document.release, report=document.report, page=release.original[0]
    )

    with pytest.raises(NotFound) as refused:
        registry.evidence.put(named, author=ANN)

    assert refused.value.reason == "BLOB_NOT_FOUND"


@pytest.mark.parametrize("which", ["unknown", "of another release", "references"])
def test_review_is_of_a_report_on_its_release(
    registry: Registry, release: Release, tmp_path: Path, which: str
) -> None:
    """Nothing else has pictures to review."""
    other = publish(registry, "1.1.0", folder=tmp_path).release
    report: Report = report_on(release, outcome="nobody has filed it")
    if which == "of another release":
        report = report_on(other)
        put_report(registry, other)

    with pytest.raises(NotFound) as refused:
        registry.evidence.put(review_of(release, report, page=PAGE), author=ANN, blobs=[PAGE])

    assert refused.value.reason == "EVIDENCE_NOT_FOUND"


def test_page_is_bounded(registry: Registry, release: Release) -> None:
    """Before anything is stored."""
    page = b" " * (PAGE_BYTES_MAX + 1)

    with pytest.raises(InvalidField) as refused:
        file(registry, release, page=page)

    assert refused.value.reason == "FIELD_TOO_LONG"
    assert not registry.blobs.is_there(sha256_bytes(page))


def test_purge_takes_page_and_pictures(registry: Registry, release: Release) -> None:
    """A page says as much as the pictures; what another release shows stays."""
    file(registry, release)

    registry.purge(REF, author=Author(actor="ann", reason="asked to"))

    assert not registry.blobs.is_there(sha256_bytes(PAGE))
    assert not any(registry.blobs.is_there(sha256_bytes(one)) for one in PICTURES)
    assert check_registry(registry, deep=True).errors == 0
    with pytest.raises(RegistryError):
        file(registry, release)


def test_upkeep_knows_the_page(registry: Registry, release: Release, tmp_path: Path) -> None:
    """It is no garbage, and comes along in a copy."""
    file(registry, release)

    assert collect(registry, min_age_seconds=0, dry_run=False, author=ANN).blobs == 0
    export_registry(registry, tmp_path / "copy")
    import_registry(tmp_path / "copy", str(tmp_path / "back"))

    again = Registry.open(str(tmp_path / "back"))
    assert again.blobs.read(sha256_bytes(PAGE), bytes_max=100) == PAGE
    assert check_registry(again, deep=True).errors == 0


def test_log_says_what_a_review_compares_with(
    registry: Registry, release: Release, tmp_path: Path
) -> None:
    """Whoever does not see that release sees no page that names it, like no report that does."""
    before = publish(registry, "0.9.0", folder=tmp_path).release
    against = Against(version=before.version, digest=before.digest)
    report = report_on(release, against=against, outcome="beside")
    registry.evidence.put(report, author=ANN)
    document = review_of(release, report, page=PAGE)

    note = registry.evidence.put(document, author=ANN, blobs=[PAGE]).note
    with pytest.raises(NotFound):
        file(registry, release, against=against)

    assert (note.kind, note.against) == ("review", before.digest)
