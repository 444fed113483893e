# SPDX-License-Identifier: Apache-2.0
"""ReviewService: what people say of releases, and what a promotion lacks.

In: messages whose caller may send them, as the door has asked. Out: messages.
"""

from typing import Any

from tabard.v1 import review_service_pb2 as pb
from tabard.v1 import review_service_pb2_grpc
from tabard_registry import AdapterRef, Author, Registry
from tabard_registry.release.health import Review
from tabard_registry.state.sight import seen_by
from tabard_server.publishing.author import author_of
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.reviews import Reviews
from tabard_server.reviewing.votes import Votes
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.review.messages import (
    read_choice,
    read_decision,
    read_labels,
    read_side,
    write_explanation,
    write_revealed,
    write_review,
    write_reviewed,
    write_reviews,
    write_turn,
)
from tabard_server.rpc.status import Context


class ReviewServicer(review_service_pb2_grpc.ReviewServiceServicer):
    """Serves `tabard.v1.ReviewService`. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        policies: Policies,
        reviews: Reviews,
        votes: Votes,
        publishing: Publishing,
        questions: Questions,
        pages: Pages,
    ) -> None:
        """Take what can be asked and done."""
        self._registry = registry
        self._policies = policies
        self._reviews = reviews
        self._votes = votes
        self._publishing = publishing
        self._questions = questions
        self._pages = pages

    async def ExplainPolicy(
        self, request: pb.ExplainPolicyRequest, context: Context
    ) -> pb.ExplainPolicyResponse:
        """Say what a release lacks for a channel, and who can give it."""
        found = await self._questions.aside(
            self._policies.explain,
            AdapterRef.parse(request.ref),
            channel=request.channel,
            grants=context.identity.grants,
        )
        return write_explanation(found)

    async def Review(self, request: pb.ReviewRequest, context: Context) -> pb.ReviewResponse:
        """Approve of a release, or reject it."""
        author = _author(request, context, reason=request.note, request_id=request.request_id)
        done = await self._publishing.act(
            self._reviews.review,
            AdapterRef.parse(request.ref),
            decision=read_decision(request.decision),
            evidence=request.evidence_digest,
            author=author,
        )
        return write_reviewed(done, author=author)

    async def ListReviews(
        self, request: pb.ListReviewsRequest, context: Context
    ) -> pb.ListReviewsResponse:
        """List what people decided about a release, newest first."""
        state = seen_by(self._registry.state, context.identity.grants)
        release = state.find(AdapterRef.parse(request.ref))
        start = self._pages.start_of(request, int, str)
        size = self._pages.size_of(request)
        said = sorted(release.health.reviews, key=_place, reverse=True)
        rest = [one for one in said if start is None or _place(one) < start]
        report = release.health.report
        written = ((_place(one), write_review(one, report=report)) for one in rest[:size])
        reviews, following = self._pages.fill(request, written, is_more=len(rest) > size)
        votes = await self._questions.aside(self._votes.standing, release)
        return write_reviews(release, reviews=reviews, votes=votes, following=following)

    async def NextPair(self, request: pb.NextPairRequest, context: Context) -> pb.NextPairResponse:
        """Give a pair that the voter has not voted on."""
        turn = await self._questions.aside(
            self._votes.next_turn,
            AdapterRef.parse(request.ref),
            author=_author(request, context),
            held=frozenset(request.held),
        )
        return write_turn(turn)

    async def GetPairPicture(
        self, request: pb.GetPairPictureRequest, context: Context
    ) -> pb.GetPairPictureResponse:
        """Give a picture of a pair."""
        png = await self._questions.aside(
            self._votes.picture,
            AdapterRef.parse(request.ref),
            handle=request.pair,
            side=read_side(request.side),
            author=_author(request, context),
        )
        return pb.GetPairPictureResponse(png=png)

    async def Vote(self, request: pb.VoteRequest, context: Context) -> pb.VoteResponse:
        """Store a vote, then tell the sides."""
        done = await self._publishing.act(
            self._votes.vote,
            AdapterRef.parse(request.ref),
            handle=request.pair,
            choice=read_choice(request.choice),
            labels=read_labels(request),
            author=_author(request, context, reason=request.reason, request_id=request.request_id),
        )
        return write_revealed(done)


def _author(request: Any, context: Context, *, reason: str = "", request_id: str = "") -> Author:
    """Return who says something; where nobody is asked, who they say they are."""
    return author_of(request.actor, reason=reason, request_id=request_id, identity=context.identity)


def _place(review: Review) -> tuple[int, str]:
    return review.told.seq, review.told.actor
