# SPDX-License-Identifier: Apache-2.0
"""Evidence as protobuf messages, and what callers say of it read back."""

from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from tabard.v1 import adapter_pb2, evaluation_service_pb2
from tabard.v1 import evidence_service_pb2 as pb
from tabard_registry import Author
from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.report import Report
from tabard_registry.identity.identity import Identity
from tabard_registry.release.health import CHECKS, EvidenceNote
from tabard_server.errors import invalid
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


def write_filed(filed: Filed) -> pb.GetEvidenceResponse:
    """Write a document and whose it is."""
    release = filed.release
    return pb.GetEvidenceResponse(
        adapter=str(release.adapter),
        version=str(release.version),
        release_digest=str(release.digest),
        note=write_note(filed.note),
        document=filed.content,
    )


def _member(enum: EnumDescriptor, name: str) -> Any:
    return number_of(enum, name)
