# SPDX-License-Identifier: Apache-2.0
"""ReviewService: what people say of releases, and what a promotion lacks.

In: messages whose caller may send them, as the door has asked. Out: messages.
"""

from tabard.v1 import review_service_pb2 as pb
from tabard.v1 import review_service_pb2_grpc
from tabard_registry import AdapterRef, Registry
from tabard_registry.release.health import Review
from tabard_registry.state.sight import seen_by
from tabard_server.publishing.author import author_of
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.reviews import Reviews
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.review.messages import (
    read_decision,
    write_explanation,
    write_review,
    write_reviewed,
    write_reviews,
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
        publishing: Publishing,
        questions: Questions,
        pages: Pages,
    ) -> None:
        """Take what can be asked and done."""
        self._registry = registry
        self._policies = policies
        self._reviews = reviews
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
        author = author_of(
            request.actor,
            reason=request.note,
            request_id=request.request_id,
            identity=context.identity,
        )
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
        return write_reviews(release, reviews=reviews, following=following)


def _place(review: Review) -> tuple[int, str]:
    return review.told.seq, review.told.actor
