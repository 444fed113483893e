# SPDX-License-Identifier: Apache-2.0
"""ReviewService: what people say of releases, and what a promotion lacks.

In: messages whose caller may send them, as the door has asked. Out: messages.
"""

from tabard.v1 import review_service_pb2 as pb
from tabard.v1 import review_service_pb2_grpc
from tabard_registry import AdapterRef
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.review.messages import write_explanation
from tabard_server.rpc.status import Context


class ReviewServicer(review_service_pb2_grpc.ReviewServiceServicer):
    """Serves `tabard.v1.ReviewService`. Asyncio thread."""

    def __init__(self, *, policies: Policies, questions: Questions) -> None:
        """Take what can be asked."""
        self._policies = policies
        self._questions = questions

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
