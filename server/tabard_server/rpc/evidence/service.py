# SPDX-License-Identifier: Apache-2.0
"""EvidenceService: what is known of releases, and what people add to it, one method an RPC.

Converts once on the way in and once on the way out; `evidence` does everything between.
"""

from tabard.v1 import evidence_service_pb2 as pb
from tabard.v1 import evidence_service_pb2_grpc
from tabard_registry import AdapterRef, Digest, Registry
from tabard_server.evidence.shelf import Shelf
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.evidence.messages import (
    read_author,
    read_kind,
    read_report,
    write_filed,
    write_note,
)
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.status import Context


class EvidenceServicer(evidence_service_pb2_grpc.EvidenceServiceServicer):
    """Serves `tabard.v1.EvidenceService`. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        shelf: Shelf,
        publishing: Publishing,
        questions: Questions,
        pages: Pages,
    ) -> None:
        """Take where evidence is read, and where acts and questions wait for the store."""
        self._evidence = registry.evidence
        self._shelf = shelf
        self._publishing = publishing
        self._questions = questions
        self._pages = pages

    async def ListEvidence(
        self, request: pb.ListEvidenceRequest, context: Context
    ) -> pb.ListEvidenceResponse:
        """Return a page of the documents about a release."""
        start = self._pages.start_of(request, str)
        notes = self._shelf.notes(
            AdapterRef.parse(request.ref),
            kind=read_kind(request.kind),
            grants=context.identity.grants,
        )
        if start:
            known = [str(one.document) for one in notes]
            notes = notes[known.index(start[0]) + 1 if start[0] in known else len(known) :]
        size = self._pages.size_of(request)
        written = (((str(one.document),), write_note(one)) for one in notes[:size])
        found, following = self._pages.fill(request, written, is_more=len(notes) > size)
        return pb.ListEvidenceResponse(notes=found, next_page_token=following)

    async def GetEvidence(
        self, request: pb.GetEvidenceRequest, context: Context
    ) -> pb.GetEvidenceResponse:
        """Return a document about a release."""
        filed = await self._questions.aside(
            self._shelf.document,
            AdapterRef.parse(request.ref),
            digest=request.digest,
            kind=read_kind(request.kind) or "report",
            grants=context.identity.grants,
        )
        return write_filed(filed)

    async def GetPicture(
        self, request: pb.GetPictureRequest, context: Context
    ) -> pb.GetPictureResponse:
        """Return a picture that a document about a release lists."""
        png = await self._questions.aside(
            self._shelf.picture,
            AdapterRef.parse(request.ref),
            evidence=request.evidence_digest,
            digest=Digest.parse(request.digest),
            grants=context.identity.grants,
        )
        return pb.GetPictureResponse(png=png)

    async def EditEvidence(
        self, request: pb.EditEvidenceRequest, context: Context
    ) -> pb.EditEvidenceResponse:
        """Complete the newest report on a release."""
        ref, grants = AdapterRef.parse(request.ref), context.identity.grants
        author = read_author(request, identity=context.identity)
        wanted = await self._questions.aside(read_report, request.document)
        original = await self._questions.aside(
            self._shelf.document, ref, digest=request.digest, grants=grants
        )
        done = await self._publishing.act(
            self._evidence.edit,
            ref,
            original=original.note.document,
            wanted=wanted,
            author=author,
        )
        edited = await self._questions.aside(
            self._shelf.document, ref, digest=str(done.note.document), grants=grants
        )
        return pb.EditEvidenceResponse(
            note=write_note(done.note), document=edited.content, created=done.created
        )
