# SPDX-License-Identifier: Apache-2.0
"""The verbs of reviewing: what a promotion lacks, reviews, and votes on blind pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tabard.calls.acts import DEFAULT_CHANNEL
from tabard.calls.call import Call, Caller, Pages
from tabard.calls.identity import read_gates
from tabard.convert import same_fields
from tabard.enums import Decision, ImageLabel, PairSide, VoteChoice, member_name, member_number
from tabard.health.review import (
    BlindPair,
    MissingForGate,
    PolicyExplanation,
    Review,
    Reviewed,
    Reviews,
    StoredVote,
)
from tabard.v1 import canary_service_pb2
from tabard.v1 import review_service_pb2 as pb

_LABEL = canary_service_pb2.ImageLabel.DESCRIPTOR


def explain_policy(
    caller: Caller, ref: str, *, channel: str = DEFAULT_CHANNEL
) -> Call[PolicyExplanation]:
    """Say what a release lacks before a channel may point to it, and who can give it.

    A rollback lacks nothing.

    Raises:
        NotFound: The ref names nothing.
    """
    del caller
    request = pb.ExplainPolicyRequest(ref=ref, channel=channel)
    return Call(request=request, read=_explanation)


def review(
    caller: Caller, ref: str, decision: Decision, *, note: str, evidence: str = ""
) -> Call[Reviewed]:
    """Approve of a release, or reject it. A reviewer has one word, and the newest counts.

    Args:
        caller: Filled in by the client.
        ref: The release.
        decision: `approve` or `reject`.
        note: Why.
        evidence: Digest of the report that you saw, or its first digits: the newest, as `reviews`
            tells it. Left out: there is none.

    Raises:
        FailedPrecondition: You published the release, or there is a newer report.
        NotFound: No such release, or no such report on it.
    """
    request = pb.ReviewRequest(
        ref=ref,
        decision=member_number(pb.ReviewDecision.DESCRIPTOR, decision, what="decision"),
        note=note,
        evidence_digest=evidence,
        actor=caller.actor,
        request_id=caller.new_id(),
    )
    return Call(request=request, read=_reviewed)


def reviews(caller: Caller, ref: str) -> Pages[Reviews, Reviews]:
    """Say what people decided about a release, newest first, and how the blind votes stand.

    Raises:
        NotFound: The ref names nothing.
    """
    del caller

    def ask(size: int, token: str) -> Call[tuple[tuple[Reviews, ...], str]]:
        request = pb.ListReviewsRequest(ref=ref, page_size=size, page_token=token)
        return Call(
            request=request, read=lambda answer: ((_reviews(answer),), answer.next_page_token)
        )

    return Pages(ask=ask, limit=None, gather=lambda found, _is_more: _joined(found))


def next_pair(caller: Caller, ref: str, *, held: Sequence[str] = ()) -> Call[BlindPair | None]:
    """Give a pair of pictures that you have not voted on: the release's, and what it replaces.

    It stays the same until you vote. None: you have voted on all of them, or hold them.

    Args:
        caller: Filled in by the client.
        ref: The release.
        held: Pairs that you have at hand, and are not given again: a vote may be kept back until
            the next one is made.

    Raises:
        FailedPrecondition: You were shown the report, and know the sides.
        NotFound: No such release, no report, or one without pairs.
    """
    request = pb.NextPairRequest(ref=ref, actor=caller.actor, held=held)
    return Call(
        request=request,
        read=lambda answer: same_fields(BlindPair, answer) if answer.pair else None,
    )


def pair_picture(caller: Caller, ref: str, *, pair: str, side: PairSide) -> Call[bytes]:
    """Give a picture of a pair, as a PNG that says nothing but its pixels.

    Raises:
        NotFound: You were asked about no such pair.
        FailedPrecondition: You were shown the report, and know the sides.
    """
    request = pb.GetPairPictureRequest(
        ref=ref,
        pair=pair,
        side=member_number(pb.PairSide.DESCRIPTOR, side, what="side"),
        actor=caller.actor,
    )
    return Call(request=request, read=lambda answer: bytes(answer.png))


def vote(
    caller: Caller,
    ref: str,
    choice: VoteChoice,
    *,
    pair: str,
    reason: str = "",
    labels_a: Sequence[ImageLabel] = (),
    labels_b: Sequence[ImageLabel] = (),
) -> Call[StoredVote]:
    """Say which picture of a pair is the better one, once; then hear who drew which.

    Args:
        caller: Filled in by the client.
        ref: The release.
        choice: `a`, `b`, `tie`, or `both_bad`: neither is good enough.
        pair: The pair, as `next_pair` gave it.
        reason: Why; kept in the history.
        labels_a: What you saw fail in A.
        labels_b: What you saw fail in B.

    Raises:
        FailedPrecondition: You know the sides: by a vote on the pair, or from the report.
        NotFound: You were asked about no such pair.
    """
    request = pb.VoteRequest(
        ref=ref,
        pair=pair,
        choice=member_number(pb.VoteChoice.DESCRIPTOR, choice, what="choice"),
        actor=caller.actor,
        reason=reason,
        request_id=caller.new_id(),
        labels_a=[member_number(_LABEL, one, what="label") for one in labels_a],
        labels_b=[member_number(_LABEL, one, what="label") for one in labels_b],
    )
    return Call(request=request, read=lambda answer: same_fields(StoredVote, answer))


def _explanation(message: pb.ExplainPolicyResponse) -> PolicyExplanation:
    return same_fields(
        PolicyExplanation,
        message,
        gates=read_gates(message.gates),
        missing=tuple(same_fields(MissingForGate, one) for one in message.missing),
    )


def _reviewed(message: pb.ReviewResponse) -> Reviewed:
    return same_fields(Reviewed, message, review=same_fields(Review, message.review))


def _reviews(message: pb.ListReviewsResponse) -> Reviews:
    found = tuple(same_fields(Review, one) for one in message.reviews)
    labels = {
        member_name(_LABEL, one.label): (one.candidate_count, one.baseline_count)
        for one in message.labels
    }
    return same_fields(Reviews, message, reviews=found, labels=labels)


def _joined(pages: Sequence[Reviews]) -> Reviews:
    return replace(pages[0], reviews=tuple(one for page in pages for one in page.reviews))
