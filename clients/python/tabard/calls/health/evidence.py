# SPDX-License-Identifier: Apache-2.0
"""The verbs of evidence: what is known of a release, its documents and their pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from tabard.calls.call import Call, Caller, Pages, pages_of
from tabard.convert import same_fields
from tabard.enums import EvidenceKind, member_name, member_number
from tabard.errors import FieldViolation, InvalidArgument
from tabard.health.evidence import EvidenceDocument, EvidenceEdit, EvidenceNote, ReviewFiling
from tabard.v1 import evidence_service_pb2 as pb


def evidence(
    caller: Caller, ref: str, *, kind: EvidenceKind | Literal[""] = ""
) -> Pages[EvidenceNote, tuple[EvidenceNote, ...]]:
    """List the documents about a release, newest first.

    Args:
        caller: Filled in by the client.
        ref: The release.
        kind: Only those of a kind.

    Raises:
        NotFound: No such release.
    """
    del caller
    return pages_of(pb.ListEvidenceRequest(ref=ref, kind=_number(kind)), "notes", read_note)


def evidence_document(
    caller: Caller,
    ref: str,
    *,
    digest: str = "",
    kind: EvidenceKind | Literal[""] = "",
    with_page: bool = False,
) -> Call[EvidenceDocument]:
    """Give one document about a release.

    Args:
        caller: Filled in by the client.
        ref: The release.
        digest: The document's digest, or 12 digits of it; left out: the newest of the kind.
        kind: Of which kind the newest; left out: a report.
        with_page: Also give the page of a report, as it stands now, or that of a review.

    Raises:
        NotFound: No such release, or no such document about it.
    """
    del caller
    return Call(
        request=pb.GetEvidenceRequest(
            ref=ref, digest=digest, kind=_number(kind), with_page=with_page
        ),
        read=read_document,
    )


def evidence_picture(caller: Caller, ref: str, *, evidence: str, digest: str) -> Call[bytes]:
    """Give a picture that a document about a release lists: the PNG.

    Args:
        caller: Filled in by the client.
        ref: The release.
        evidence: The document's digest, or 12 digits of it.
        digest: The picture's digest, as the document has it.

    Raises:
        NotFound: No such document, or it lists no such picture.
        FailedPrecondition: The release was purged, and its pictures with it.
    """
    del caller
    return Call(
        request=pb.GetPictureRequest(ref=ref, evidence_digest=evidence, digest=digest),
        read=lambda answer: bytes(answer.png),
    )


def edit_evidence(
    caller: Caller, ref: str, document: Mapping[str, Any], *, digest: str, reason: str = ""
) -> Call[EvidenceEdit]:
    """Complete the newest report on a release; it becomes a new document, which asks for reviews.

    People say the goal, the prompt record, which candidates are selected and why, the technical
    note, the failure checks and the outcome. What was measured stays.

    Args:
        caller: Filled in by the client.
        ref: The release.
        document: The report as it shall be, whole.
        digest: Digest of the report that was edited, or 12 digits of it.
        reason: Why, for the record.

    Raises:
        FailedPrecondition: It changes what was measured (EDIT_OF_MEASUREMENT), or there is a newer
            report (EDIT_OUTDATED).
        InvalidArgument: It is no report.
        NotFound: There is no such report on the release.
    """
    return Call(
        request=pb.EditEvidenceRequest(
            ref=ref,
            digest=digest,
            document=written(document, name="document"),
            actor=caller.actor,
            reason=reason,
            request_id=caller.new_id(),
        ),
        read=lambda answer: same_fields(
            EvidenceEdit, answer, note=read_note(answer.note), content=bytes(answer.document)
        ),
    )


def file_review(caller: Caller, ref: str, *, reason: str = "") -> Call[ReviewFiling]:
    """Keep the review of a release as it stands: its newest report, and what people say of it.

    It becomes a document of the evidence, of the kind `review`, with a page to look at. Filed again
    when nothing was said since, nothing changes.

    Args:
        caller: Filled in by the client.
        ref: The release.
        reason: Why, for the record.

    Raises:
        NotFound: No such release, or no report on it.
        FailedPrecondition: The release was purged.
    """
    return Call(
        request=pb.FileReviewRequest(
            ref=ref, actor=caller.actor, reason=reason, request_id=caller.new_id()
        ),
        read=lambda answer: same_fields(ReviewFiling, answer, note=read_note(answer.note)),
    )


def written(document: Mapping[str, Any], *, name: str) -> bytes:
    """Write a document as JSON.

    Raises:
        InvalidArgument: It holds what JSON has not.
    """
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{name} is no JSON: {error}"
        raise InvalidArgument(
            message,
            reason="FIELD_INVALID",
            hint="use texts, numbers, lists and mappings alone",
            violations=(FieldViolation(field=name, description=message),),
        ) from error


def read_note(message: pb.EvidenceNote) -> EvidenceNote:
    """Give the value of what the log says of a document."""
    checks = {
        member_name(pb.FailureCheck.DESCRIPTOR, one.check): member_name(
            pb.CheckState.DESCRIPTOR, one.state
        )
        for one in message.checks
    }
    return same_fields(EvidenceNote, message, checks=checks)


def read_document(message: pb.GetEvidenceResponse) -> EvidenceDocument:
    """Give the value of a document."""
    return same_fields(
        EvidenceDocument,
        message,
        note=read_note(message.note),
        content=bytes(message.document),
        page=bytes(message.page),
    )


def _number(kind: str) -> pb.EvidenceKind:
    number: pb.EvidenceKind = member_number(
        pb.EvidenceKind.DESCRIPTOR, kind, what="kind of evidence", field="kind"
    )
    return number
