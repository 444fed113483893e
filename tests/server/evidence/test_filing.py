# SPDX-License-Identifier: Apache-2.0
"""Reviews as pages: as they stand now, and as somebody filed them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabard_registry import AdapterRef, Author, Digest, Registry, sha256_bytes
from tabard_registry.errors import NotFound, PreconditionFailed
from tabard_registry.evidence.documents import FiledReview
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.evidence.filing import Filing
from tabard_server.evidence.shelf import Filed, Shelf
from tests.registry.evidence.reports import ANN, BOB
from tests.registry.fakes import publish
from tests.server.reviewing.blind_reports import file_report, ref_of, released


class Desk:
    """A registry with a report on its newest release, and one server of it."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry.open(str(folder / "registry"))
        self.release, self.before = released(self.registry, folder)
        self.report = file_report(self.registry, self.release, against=self.before, cells=4)
        self.ref = ref_of(self.release)
        self.shelf = Shelf(self.registry, picture_bytes_max=1 << 20)
        self.filing = Filing(self.registry, shelf=self.shelf)

    def review(self, decision: str, *, note: str) -> None:
        """Say something of the report."""
        evidence = self.registry.state.find(self.ref).health.report
        assert evidence is not None
        self.registry.evidence.review(
            self.ref,
            decision=decision,
            evidence=evidence.document,
            author=Author(actor="bob", reason=note),
        )

    def read(self, *, kind: str = "review", digest: str = "") -> Filed:
        """Read a document."""
        return self.shelf.document(self.ref, grants=EVERYTHING, kind=kind, digest=digest)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A release that bob approves of."""
    made = Desk(tmp_path)
    made.review("approve", note="the line is clean")
    return made


def test_review_is_filed_as_it_stands(desk: Desk) -> None:
    """What is said later is in the next one, and the first stays as it was."""
    first = desk.filing.file(desk.ref, author=ANN)
    page = desk.filing.page(desk.read())
    desk.review("reject", note="two left hands")
    second = desk.filing.file(desk.ref, author=BOB)

    assert (first.created, second.created) == (True, True)
    assert b"approve by bob" in page
    assert b"two left hands" not in page
    assert b"two left hands" in desk.filing.page(desk.read())
    older = desk.read(digest=str(first.note.document))
    assert desk.filing.page(older) == page


def test_same_review_is_filed_once(desk: Desk) -> None:
    """Whoever files it."""
    first = desk.filing.file(desk.ref, author=ANN)
    seq = desk.registry.seq

    again = desk.filing.file(desk.ref, author=BOB)

    assert (again.created, again.note, desk.registry.seq) == (False, first.note, seq)


def test_filed_review_gives_its_pictures(desk: Desk) -> None:
    """Those of the report, and no others: neither the page nor the grid is a picture."""
    note = desk.filing.file(desk.ref, author=ANN).note
    document = desk.read().document
    assert isinstance(document, FiledReview)

    def given(digest: Digest) -> bytes:
        return desk.shelf.picture(
            desk.ref, evidence=str(note.document), digest=digest, grants=EVERYTHING
        )

    assert [sha256_bytes(given(one)) for one in document.pictures] == list(document.pictures)
    assert set(document.pictures) == set(desk.report.pictures)
    for other in (document.page, desk.report.grid, desk.release.original[0]):
        with pytest.raises(NotFound):
            given(other)


def test_report_has_a_page_as_it_stands_now(desk: Desk) -> None:
    """Which is what would be filed; other documents have none."""
    shown = desk.filing.page(desk.read(kind="report"))
    desk.filing.file(desk.ref, author=ANN)

    assert shown == desk.filing.page(desk.read())
    assert desk.filing.report_of(desk.read()) == desk.report


def test_release_without_a_report_has_no_review(desk: Desk, tmp_path: Path) -> None:
    """And one that was purged has none any more."""
    publish(desk.registry, "1.2.0", folder=tmp_path)
    desk.filing.file(desk.ref, author=ANN)
    filed = desk.read()

    with pytest.raises(NotFound) as missing:
        desk.filing.file(AdapterRef.parse("acme/ink@1.2.0"), author=ANN)
    desk.registry.purge(desk.ref, author=ANN)
    with pytest.raises(PreconditionFailed) as purged:
        desk.filing.file(desk.ref, author=ANN)
    with pytest.raises(NotFound):
        desk.filing.page(filed)

    assert (missing.value.reason, purged.value.reason) == ("EVIDENCE_NOT_FOUND", "RELEASE_PURGED")
