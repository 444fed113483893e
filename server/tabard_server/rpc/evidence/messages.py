# SPDX-License-Identifier: Apache-2.0
"""Evidence as protobuf messages, and what callers say of it read back."""

from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from tabard.v1 import adapter_pb2, evaluation_service_pb2
from tabard.v1 import evidence_service_pb2 as pb
from tabard_registry import AdapterRef, Author
from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.report import Report
from tabard_registry.identity.identity import Identity
from tabard_registry.release.health import CHECKS, EvidenceNote
from tabard_server.errors import invalid
from tabard_server.evidence.grids import NamedGrid
from tabard_server.evidence.lookup import Found, Match
from tabard_server.evidence.references import KINDS, ReferencesWish
from tabard_server.evidence.shelf import Filed
from tabard_server.publishing.author import author_of
from tabard_server.rpc.names import name_of, names_of, number_of
from tabard_server.rpc.times import write_time

_KIND = pb.EvidenceKind.DESCRIPTOR
_CHECK = pb.FailureCheck.DESCRIPTOR
_STATE = pb.CheckState.DESCRIPTOR
_VERDICT = evaluation_service_pb2.Verdict.DESCRIPTOR
_PROOF = adapter_pb2.Proof.DESCRIPTOR
_UNCHECKED = "not_checked"


def read_kind(number: int, *, field: str = "kind") -> str:
    """Read which kind of document is meant; empty: nothing is said.

    Raises:
        InvalidRequest: There is no such kind.
    """
    name = name_of(_KIND, number)
    if name is None:
        raise invalid(
            field,
            f"unknown kind of evidence {number}",
            reason="FIELD_INVALID",
            hint=f"use one of: {', '.join(names_of(_KIND))}",
        )
    return name


def read_author(request: Any, *, identity: Identity) -> Author:
    """Read who acts and why; `identity` is who calls.

    Raises:
        InvalidRequest: A field is too long.
    """
    return author_of(
        request.actor, reason=request.reason, request_id=request.request_id, identity=identity
    )


def read_report(document: bytes) -> Report:
    """Read a report that somebody wrote.

    Raises:
        InvalidRequest, InvalidField: It is none.
    """
    found = read_document(document)
    if not isinstance(found, Report):
        raise invalid(
            "document",
            f"the document is of the kind {found.kind}, not a report",
            reason="FIELD_INVALID",
            hint="send the report with its edits, whole",
        )
    return found


def read_references(header: pb.ReferencesHeader, *, identity: Identity) -> ReferencesWish:
    """Read what pictures are about.

    Raises:
        InvalidName: The ref cannot be read.
        InvalidRequest: There is no such kind, or a field is too long.
    """
    kind = read_kind(header.kind, field="header.kind") or KINDS[0]
    if kind not in KINDS:
        raise invalid(
            "header.kind",
            f"pictures are not published as {kind}",
            reason="FIELD_INVALID",
            hint=f"use one of: {', '.join(KINDS)}",
        )
    return ReferencesWish(
        ref=AdapterRef.parse(header.ref),
        kind=kind,
        embeddings_only=header.embeddings_only,
        author=read_author(header, identity=identity),
    )


def write_note(note: EvidenceNote) -> pb.EvidenceNote:
    """Write what the log says of a document; a check that nobody looked at is `not_checked`."""
    told = note.told
    return pb.EvidenceNote(
        kind=_member(_KIND, note.kind),
        digest=str(note.document),
        verdict=_member(_VERDICT, note.verdict),
        checks=[
            pb.CheckResult(
                check=_member(_CHECK, name),
                state=_member(_STATE, note.checks.get(name, _UNCHECKED)),
            )
            for name in CHECKS
            if note.kind == "report"
        ],
        against_digest=str(note.against or ""),
        grid_digest=str(note.grid or ""),
        seq=told.seq,
        time=write_time(told.time),
        actor=told.actor,
        on_behalf_of=told.on_behalf_of,
        proof=_member(_PROOF, told.proof),
    )


def write_filed(filed: Filed, *, page: bytes = b"") -> pb.GetEvidenceResponse:
    """Write a document and whose it is, with its page if that was asked for."""
    release = filed.release
    return pb.GetEvidenceResponse(
        adapter=str(release.adapter),
        version=str(release.version),
        release_digest=str(release.digest),
        note=write_note(filed.note),
        document=filed.content,
        page=page,
    )


def write_found(found: Found) -> pb.LookupPictureResponse:
    """Write what came of a search."""
    return pb.LookupPictureResponse(
        matches=map(_match, found.matches),
        png=found.png,
        nearest_bits=found.nearest_bits,
        searched_count=found.searched_count,
        is_complete=found.is_complete,
    )


def write_grid(grid: NamedGrid) -> pb.Grid:
    """Write what is known of a grid."""
    return pb.Grid(name=grid.name, place=grid.place, digest=str(grid.digest), seq=grid.seq)


def _match(match: Match) -> pb.PictureMatch:
    release, note, shown = match.page.release, match.page.note, match.shown
    return pb.PictureMatch(
        likeness=_member(pb.Likeness.DESCRIPTOR, match.likeness.name),
        distance_bits=match.distance_bits,
        adapter=str(release.adapter),
        version=str(release.version),
        release_digest=str(release.digest),
        evidence_digest=str(note.document),
        kind=_member(_KIND, note.kind),
        side=shown.side,
        digest=str(shown.image),
        prompt_index=shown.prompt,
        seed=shown.seed,
    )


def _member(enum: EnumDescriptor, name: str) -> Any:
    return number_of(enum, name)
