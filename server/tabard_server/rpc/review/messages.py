# SPDX-License-Identifier: Apache-2.0
"""Between review messages and what the server is asked and tells. Pure."""

from collections.abc import Sequence
from typing import Any

from tabard.v1 import (
    adapter_pb2,
    canary_service_pb2,
    evaluation_service_pb2,
    identity_service_pb2,
)
from tabard.v1 import review_service_pb2 as pb
from tabard_registry import Author, Release
from tabard_registry.acts import Acted
from tabard_registry.release.health import CHECKS, EvidenceNote, Labels, Review
from tabard_server.errors import invalid
from tabard_server.publishing.policies import Explanation, Need
from tabard_server.reviewing.votes import Revealed, Standing, Turn
from tabard_server.rpc.identity.messages import write_gates
from tabard_server.rpc.names import name_of, names_of, number_of
from tabard_server.rpc.times import write_time

_DECISION = pb.ReviewDecision.DESCRIPTOR
_SIDE = pb.PairSide.DESCRIPTOR
_CHOICE = pb.VoteChoice.DESCRIPTOR
_LABEL = canary_service_pb2.ImageLabel.DESCRIPTOR
_VERDICT = evaluation_service_pb2.Verdict.DESCRIPTOR
_ROLE = identity_service_pb2.Role.DESCRIPTOR


def write_explanation(found: Explanation) -> pb.ExplainPolicyResponse:
    """Write what stands between a release and a channel."""
    return pb.ExplainPolicyResponse(
        adapter=str(found.release.adapter),
        version=str(found.release.version),
        digest=str(found.release.digest),
        channel=found.channel,
        gates=write_gates(found.gates),
        missing=[_write_need(one) for one in found.needs],
        override_suffices=found.override_suffices,
    )


def read_decision(number: int) -> str:
    """Read what a review says.

    Raises:
        InvalidRequest: It says nothing, or something unknown.
    """
    return _read_name(_DECISION, number, field="decision")


def read_side(number: int) -> str:
    """Read which picture of a pair is meant.

    Raises:
        InvalidRequest: It says nothing, or something unknown.
    """
    return _read_name(_SIDE, number, field="side")


def read_choice(number: int) -> str:
    """Read what a vote says. Raises as `read_side`."""
    return _read_name(_CHOICE, number, field="choice")


def read_labels(request: pb.VoteRequest) -> Labels:
    """Read what a voter saw fail in A, and in B. Raises as `read_side`."""
    a, b = (
        {_read_name(_LABEL, one, field=field) for one in getattr(request, field)}
        for field in ("labels_a", "labels_b")
    )
    return tuple(one for one in CHECKS if one in a), tuple(one for one in CHECKS if one in b)


def write_turn(turn: Turn) -> pb.NextPairResponse:
    """Write what a voter is asked now."""
    return pb.NextPairResponse(
        adapter=str(turn.release.adapter),
        version=str(turn.release.version),
        digest=str(turn.release.digest),
        pair=turn.handle,
        prompt=turn.prompt,
        negative_prompt=turn.negative_prompt,
        seed=turn.seed,
        pair_count=turn.pairs,
        voted_count=turn.voted,
    )


def write_revealed(done: Revealed) -> pb.VoteResponse:
    """Write a vote that is stored, and the sides."""
    candidate, baseline = pb.PAIR_OWNER_CANDIDATE, pb.PAIR_OWNER_BASELINE
    owners = {"candidate": candidate, "stable": baseline}
    return pb.VoteResponse(
        adapter=str(done.release.adapter),
        version=str(done.release.version),
        digest=str(done.release.digest),
        a=candidate if done.is_a_candidate else baseline,
        b=baseline if done.is_a_candidate else candidate,
        chosen=owners.get(done.choice, pb.PAIR_OWNER_UNSPECIFIED),
        pair_count=done.pairs,
        voted_count=done.voted,
    )


def write_review(review: Review, *, report: EvidenceNote | None) -> pb.Review:
    """Write a review; `report` is the newest on the release."""
    decision: Any = number_of(_DECISION, review.decision)
    proof: Any = number_of(adapter_pb2.Proof.DESCRIPTOR, review.told.proof.value)
    return pb.Review(
        reviewer=review.told.actor,
        on_behalf_of=review.told.on_behalf_of,
        proof=proof,
        decision=decision,
        note=review.note,
        evidence_digest=str(review.evidence or ""),
        is_current=review.evidence == (report.document if report else None),
        seq=review.told.seq,
        time=write_time(review.told.time),
    )


def write_reviewed(done: Acted[Release], *, author: Author) -> pb.ReviewResponse:
    """Write what became of a review."""
    release = done.subject
    mine = next(one for one in release.health.reviews if one.told.actor == author.actor)
    return pb.ReviewResponse(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        review=write_review(mine, report=release.health.report),
        changed=done.changed,
    )


def write_reviews(
    release: Release, *, reviews: Sequence[pb.Review], votes: Standing, following: str
) -> pb.ListReviewsResponse:
    """Write what people say of a release, with a page of its reviews."""
    report = release.health.report
    verdict: Any = number_of(_VERDICT, report.verdict) if report else 0
    return pb.ListReviewsResponse(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        report_digest=str(report.document) if report else "",
        report_verdict=verdict,
        reviews=reviews,
        votes_for_candidate=votes.choices["candidate"],
        votes_for_baseline=votes.choices["stable"],
        votes_tied=votes.choices["tie"],
        next_page_token=following,
        votes_both_bad=votes.choices["both_bad"],
        labels=_write_labels(votes),
    )


def _write_labels(votes: Standing) -> list[pb.LabelCount]:
    candidate, baseline = votes.labels
    counted = []
    for name in CHECKS:
        if candidate[name] or baseline[name]:
            label: Any = number_of(_LABEL, name)
            counted.append(
                pb.LabelCount(
                    label=label, candidate_count=candidate[name], baseline_count=baseline[name]
                )
            )
    return counted


def _write_need(need: Need) -> pb.MissingForGate:
    role: Any = number_of(_ROLE, need.missing.role)
    return pb.MissingForGate(
        what=need.missing.what,
        role=role,
        how=need.missing.how,
        overridable=need.missing.overridable,
        names=need.names,
        has_others=need.has_others,
    )


def _read_name(enum: Any, number: int, *, field: str) -> str:
    name = name_of(enum, number)
    if not name:
        raise invalid(
            field,
            f"there is no {field} {number}" if number else f"{field} is missing",
            reason="FIELD_INVALID" if number else "FIELD_REQUIRED",
            hint=f"use one of: {', '.join(names_of(enum))}",
        )
    return name
