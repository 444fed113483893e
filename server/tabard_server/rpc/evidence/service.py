# SPDX-License-Identifier: Apache-2.0
"""EvidenceService: what is known of releases, and what people add to it, one method an RPC.

Converts once on the way in and once on the way out; `evidence` does everything between.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from tabard.v1 import evidence_service_pb2 as pb
from tabard.v1 import evidence_service_pb2_grpc
from tabard_registry import AdapterRef, Digest, Registry
from tabard_server.evidence.filing import Filing
from tabard_server.evidence.grids import Grids
from tabard_server.evidence.lookup import Found, Lookup
from tabard_server.evidence.references import ReferenceBook, ReferenceFiles, ReferencesWish
from tabard_server.evidence.shelf import Filed, Shelf
from tabard_server.limits import Limits
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.rpc.evidence.messages import (
    read_author,
    read_kind,
    read_references,
    read_report,
    write_filed,
    write_found,
    write_grid,
    write_note,
)
from tabard_server.rpc.evidence.uploads import receive_references
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.status import Context
from tabard_server.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What PublishReferences needs.

    Attributes:
        book: Keeps them.
        limits: Bounds of pictures.
        threads: Where encoders look at them.
    """

    book: ReferenceBook
    limits: Limits
    threads: Threads


class EvidenceServicer(evidence_service_pb2_grpc.EvidenceServiceServicer):
    """Serves `tabard.v1.EvidenceService`. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        shelf: Shelf,
        filing: Filing,
        grids: Grids,
        references: References,
        lookup: Lookup,
        blindfold: Blindfold,
        publishing: Publishing,
        questions: Questions,
        pages: Pages,
    ) -> None:
        """Take where evidence is read, and where acts and questions wait for the store."""
        self._evidence = registry.evidence
        self._shelf = shelf
        self._filing = filing
        self._grids = grids
        self._references = references
        self._lookup = lookup
        self._blindfold = blindfold
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
        await self._note_seen(filed, context)
        if not request.with_page:
            return write_filed(filed)
        return write_filed(filed, page=await self._questions.aside(self._filing.page, filed))

    async def GetPicture(
        self, request: pb.GetPictureRequest, context: Context
    ) -> pb.GetPictureResponse:
        """Return a picture that a document about a release lists."""
        ref, grants = AdapterRef.parse(request.ref), context.identity.grants
        png = await self._questions.aside(
            self._shelf.picture,
            ref,
            evidence=request.evidence_digest,
            digest=Digest.parse(request.digest),
            grants=grants,
        )
        filed = await self._questions.aside(
            self._shelf.document, ref, digest=request.evidence_digest, grants=grants
        )
        await self._note_seen(filed, context)
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
        await self._note_seen(edited, context)
        return pb.EditEvidenceResponse(
            note=write_note(done.note), document=edited.content, created=done.created
        )

    async def PutGrid(self, request: pb.PutGridRequest, context: Context) -> pb.PutGridResponse:
        """Give a namespace or a release line a grid."""
        grid, changed = await self._publishing.act(
            self._grids.put,
            request.grid_document,
            place=request.place,
            author=read_author(request, identity=context.identity),
        )
        return pb.PutGridResponse(grid=write_grid(grid), changed=changed)

    async def GetGrid(self, request: pb.GetGridRequest, context: Context) -> pb.GetGridResponse:
        """Return the grid that is meant by a name."""
        grid, document = await self._questions.aside(
            self._grids.named,
            request.name,
            place=request.place,
            grants=context.identity.grants,
        )
        return pb.GetGridResponse(grid=write_grid(grid), document=document)

    async def ListGrids(
        self, request: pb.ListGridsRequest, context: Context
    ) -> pb.ListGridsResponse:
        """Return a page of grids."""
        start = self._pages.start_of(request, str, str)
        size = self._pages.size_of(request)
        found = await self._questions.aside(
            self._grids.listed, place=request.place, grants=context.identity.grants
        )
        rest = [one for one in found if start is None or (one.place, one.name) > start]
        written = (((one.place, one.name), write_grid(one)) for one in rest[:size])
        grids, following = self._pages.fill(request, written, is_more=len(rest) > size)
        return pb.ListGridsResponse(grids=grids, next_page_token=following)

    async def PublishReferences(
        self, request: AsyncIterator[pb.PublishReferencesRequest], context: Context
    ) -> pb.PublishReferencesResponse:
        """Receive pictures, and keep them or their embeddings beside a release."""
        needed = self._references
        book, files = needed.book, ReferenceFiles(limits=needed.limits)

        def read(header: pb.ReferencesHeader) -> ReferencesWish:
            wish = read_references(header, identity=context.identity)
            book.check(wish)
            return wish

        wish = await receive_references(request, read=read, files=files)
        files.refuse_too_few()
        embedded = await needed.threads.run(book.embedded, wish, files)
        done = await self._publishing.act(book.put, wish, files, embedded=embedded)
        return pb.PublishReferencesResponse(
            note=write_note(done.note), picture_count=len(files.pngs), created=done.created
        )

    async def LookupPicture(
        self, request: pb.LookupPictureRequest, context: Context
    ) -> pb.LookupPictureResponse:
        """Find a picture again."""
        found = await self._questions.aside(
            self._lookup.find, request.image, grants=context.identity.grants
        )
        # Who learns whose picture it is knows the sides of the pairs that it is in.
        await self._questions.aside(self._note_found, found, context)
        return write_found(found)

    async def FileReview(
        self, request: pb.FileReviewRequest, context: Context
    ) -> pb.FileReviewResponse:
        """Keep the review of a release as it stands now; nothing of it is told."""
        done = await self._publishing.act(
            self._filing.file,
            AdapterRef.parse(request.ref),
            author=read_author(request, identity=context.identity),
        )
        return pb.FileReviewResponse(note=write_note(done.note), created=done.created)

    def _note_found(self, found: Found, context: Context) -> None:
        for report in found.reports:
            self._blindfold.saw(report, identity=context.identity)

    async def _note_seen(self, filed: Filed, context: Context) -> None:
        """Note, before it is answered, that the caller knows the sides of a report's pairs."""
        await self._questions.aside(self._note_report, filed, context)

    def _note_report(self, filed: Filed, context: Context) -> None:
        report = self._filing.report_of(filed)
        if report is not None:
            self._blindfold.saw(report, identity=context.identity)
