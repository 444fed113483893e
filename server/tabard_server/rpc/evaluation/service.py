# SPDX-License-Identifier: Apache-2.0
"""EvaluationService: one request in, the events of its evaluation out.

Converts once on the way in and once on the way out; `evaluation` does everything between.
"""

from tabard.v1 import evaluation_service_pb2, evaluation_service_pb2_grpc
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.events import EvaluationEvent, Started
from tabard_server.publishing.questions import Questions
from tabard_server.reviewing.blindfold import Blindfold
from tabard_server.rpc.evaluation.messages import read_wish, write_event
from tabard_server.rpc.status import Context


class EvaluationServicer(evaluation_service_pb2_grpc.EvaluationServiceServicer):
    """Serves `tabard.v1.EvaluationService`."""

    def __init__(
        self, evaluation: Evaluation, *, blindfold: Blindfold, questions: Questions
    ) -> None:
        """Take what evaluates, and what remembers who has seen whose pictures."""
        self._evaluation = evaluation
        self._blindfold = blindfold
        self._questions = questions

    async def Evaluate(
        self, request: evaluation_service_pb2.EvaluateRequest, context: Context
    ) -> None:
        """Stream an evaluation; a caller that leaves ends it within one step."""
        wish = read_wish(request, caller=context.caller, identity=context.identity)
        with_pictures = request.with_pictures
        # Nobody else may hold the request: its pictures are let go of once they are read.
        del request

        async def tell(event: EvaluationEvent) -> None:
            if isinstance(event, Started):
                # Before the first picture: who leaves then has seen it all the same.
                await self._questions.aside(
                    self._blindfold.evaluates, event.release, identity=context.identity
                )
            for message in write_event(event, with_pictures=with_pictures):
                await context.write(message)

        await self._evaluation.evaluate(wish, tell=tell)
