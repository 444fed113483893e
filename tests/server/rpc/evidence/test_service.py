# SPDX-License-Identifier: Apache-2.0
"""EvidenceService over real gRPC: what is listed, given and refused, and to whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tabard.v1 import evaluation_service_pb2, evidence_service_pb2_grpc
from tabard.v1 import evidence_service_pb2 as pb
from tabard_registry import AdapterRef, sha256_bytes
from tests.registry.evidence.reports import PICTURES, put_report
from tests.server.harness import Server, refusal_of, serving

INK = "acme/ink@1.0.0"


def stub(server: Server) -> Any:
    """Return the service of a server."""
    return evidence_service_pb2_grpc.EvidenceServiceStub(server.channel)


async def reported(server: Server, *outcomes: str) -> None:
    """Publish a release with a report for each outcome."""
    await server.publish("acme/ink")
    registry = server.app.registry
    release = registry.state.find(AdapterRef.parse(INK))
    for one in outcomes:
        put_report(registry, release, outcome=one)


def test_evidence_is_listed_and_read(tmp_path: Path) -> None:
    """The newest first, a document by its digest, a picture by its document."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await reported(server, "first", "second")
            told = await stub(server).ListEvidence(pb.ListEvidenceRequest(ref=INK))
            newest = await stub(server).GetEvidence(pb.GetEvidenceRequest(ref=INK))
            first = await stub(server).GetEvidence(
                pb.GetEvidenceRequest(ref=INK, digest=told.notes[1].digest[:20])
            )
            picture = pb.GetPictureRequest(
                ref=INK,
                evidence_digest=told.notes[0].digest,
                digest=str(sha256_bytes(PICTURES[0])),
            )

            assert [one.kind for one in told.notes] == [pb.EVIDENCE_KIND_REPORT] * 2
            assert newest.note == told.notes[0]
            assert newest.note.verdict == evaluation_service_pb2.VERDICT_SUCCESS
            assert json.loads(first.document)["outcome"] == "first"
            assert (newest.adapter, newest.version) == ("acme/ink", "1.0.0")
            assert (await stub(server).GetPicture(picture)).png == PICTURES[0]

    asyncio.run(walk())


def test_list_comes_in_pages(tmp_path: Path) -> None:
    """Every document once, and a token of another question is refused."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await reported(server, *"abcde")
            found: list[str] = []
            token = ""
            while token or not found:
                ask = pb.ListEvidenceRequest(ref=INK, page_size=2, page_token=token)
                page = await stub(server).ListEvidence(ask)
                found += [one.digest for one in page.notes]
                token, last = page.next_page_token, token
            other = pb.ListEvidenceRequest(ref="acme/ink@1", page_token=last)
            refusal = await refusal_of(stub(server).ListEvidence(other))

            assert len(found) == len(set(found)) == 5
            assert refusal.reason == "PAGE_TOKEN_INVALID"

    asyncio.run(walk())


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("ListEvidence", pb.ListEvidenceRequest(ref="acme/nobody"), "ADAPTER_NOT_FOUND"),
        ("ListEvidence", pb.ListEvidenceRequest(ref=INK, kind=9), "FIELD_INVALID"),  # type: ignore[arg-type]
        ("GetEvidence", pb.GetEvidenceRequest(ref=INK, digest="0" * 64), "EVIDENCE_NOT_FOUND"),
        (
            "GetEvidence",
            pb.GetEvidenceRequest(ref=INK, kind=pb.EVIDENCE_KIND_PREVIEWS),
            "EVIDENCE_NOT_FOUND",
        ),
        ("GetPicture", pb.GetPictureRequest(ref=INK, digest="sha256:" + "0" * 64), None),
        ("GetPicture", pb.GetPictureRequest(ref=INK, digest="x"), "INVALID_DIGEST"),
    ],
)
def test_bad_input_is_refused(
    tmp_path: Path, method: str, request_: Any, reason: str | None
) -> None:
    """Each says what to do."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await reported(server, "first")
            refusal = await refusal_of(getattr(stub(server), method)(request_))

            assert refusal.reason == (reason or "EVIDENCE_NOT_FOUND")
            assert refusal.hint

    asyncio.run(walk())
