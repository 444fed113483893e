# SPDX-License-Identifier: Apache-2.0
"""Evidence as both clients read it."""

from __future__ import annotations

import asyncio

import pytest

from tabard import AsyncClient, Client, FailedPrecondition, InvalidArgument, NotFound
from tabard_registry.refs.digest import sha256_bytes
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import ALL_CLEAR, PICTURES, put_report

REF = "acme/ink@1.0.0"


@pytest.fixture
def reported(server: RealServer) -> str:
    """A release with two reports; the digest of the older one."""
    release = server.publish("acme/ink")
    first = put_report(server.registry, release, verdict="Failed")
    put_report(server.registry, release, checks=ALL_CLEAR, outcome="kept")
    return str(first.note.document)


def test_evidence_is_listed(client: Client, reported: str) -> None:
    """Newest first, with verdicts and checks in words."""
    newest, oldest = client.evidence(REF)

    assert (newest.kind, newest.verdict, oldest.verdict) == ("report", "success", "failed")
    assert set(newest.checks.values()) == {"clear"}
    assert set(oldest.checks.values()) == {"not_checked"}
    assert len(oldest.checks) == 6
    assert (oldest.digest, oldest.actor) == (reported, "ann")
    assert client.evidence(REF, kind="previews") == ()


def test_document_is_what_its_digest_says(client: Client, reported: str) -> None:
    """The newest, or the one that is meant; its bytes are those that were hashed."""
    newest = client.evidence_document(REF)
    older = client.evidence_document(REF, digest=reported[:19])

    assert newest.document["outcome"] == "kept"
    assert str(sha256_bytes(older.content)) == older.note.digest == reported
    assert (older.adapter, older.version) == ("acme/ink", "1.0.0")
    assert older.pictures == tuple(str(sha256_bytes(png)) for png in PICTURES)


def test_picture_is_given(client: Client, reported: str) -> None:
    """By the document that lists it."""
    found = client.evidence_document(REF, digest=reported)

    png = client.evidence_picture(REF, evidence=reported, digest=found.pictures[1])

    assert png == PICTURES[1]
    with pytest.raises(NotFound) as refused:
        client.evidence_picture(REF, evidence=reported, digest=found.note.grid_digest)
    assert refused.value.reason == "EVIDENCE_NOT_FOUND"


def test_unknown_kind_is_refused(client: Client, reported: str) -> None:
    """Before anything is sent, with what there is."""
    with pytest.raises(InvalidArgument, match="did you mean 'report'"):
        client.evidence(REF, kind="raport")  # type: ignore[arg-type]


def test_asyncio_reads_the_same(server: RealServer, reported: str) -> None:
    """Every verb."""

    async def walk() -> tuple[int, str, bytes]:
        async with AsyncClient(server.address) as client:
            notes = await client.evidence(REF)
            found = await client.evidence_document(REF, kind="report")
            png = await client.evidence_picture(
                REF, evidence=notes[0].digest, digest=found.pictures[0]
            )
        return len(notes), found.note.digest, png

    count, digest, png = asyncio.run(walk())

    assert (count, png) == (2, PICTURES[0])
    assert digest != reported


def test_report_is_edited(client: Client, reported: str) -> None:
    """The newest one, once; an older one would take back what was written since."""
    found = client.evidence_document(REF)
    wanted = {**found.document, "outcome": "better"}

    done = client.edit_evidence(REF, wanted, digest=found.note.digest, reason="looked at it")
    again = client.edit_evidence(REF, wanted, digest=found.note.digest)

    assert (done.created, again.created) == (True, False)
    assert done.document["outcome"] == "better"
    assert done.document["edited_from"] == found.note.digest
    assert done.note.actor == "alice"
    with pytest.raises(FailedPrecondition) as refused:
        client.edit_evidence(REF, {**wanted, "outcome": "x"}, digest=found.note.digest)
    assert refused.value.reason == "EDIT_OUTDATED"


def test_what_is_no_json_is_refused(client: Client, reported: str) -> None:
    """Before it is sent."""
    with pytest.raises(InvalidArgument) as refused:
        client.edit_evidence(REF, {"outcome": {1, 2}}, digest=reported)

    assert refused.value.violations[0].field == "document"


def test_review_is_filed(client: Client, server: RealServer, reported: str) -> None:
    """As a document of its own, with the page that was written then."""
    done = client.file_review(REF, reason="for the client")
    again = client.file_review(REF)

    found = client.evidence_document(REF, kind="review", with_page=True)
    now = client.evidence_document(REF, with_page=True)
    assert (done.created, again.created, again.note) == (True, False, done.note)
    assert (done.note.kind, found.note) == ("review", done.note)
    assert found.page == now.page != b""
    assert str(sha256_bytes(found.page)) == found.document["page"]
    assert found.document["report"] == now.note.digest
    assert set(found.pictures) == set(now.pictures)
    assert client.evidence_document(REF).page == b""
    assert client.history("acme/ink")[-1].reason == "for the client"
