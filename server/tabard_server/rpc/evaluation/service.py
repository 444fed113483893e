# SPDX-License-Identifier: Apache-2.0
"""EvaluationService: one request in, the events of its evaluation out.

Converts once on the way in and once on the way out; `evaluation` does everything between.
"""

from tabard.v1 import evaluation_service_pb2, evaluation_service_pb2_grpc
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.events import EvaluationEvent
from tabard_server.rpc.evaluation.messages import read_wish, write_event
from tabard_server.rpc.status import Context


class EvaluationServicer(evaluation_service_pb2_grpc.EvaluationServiceServicer):
    """Serves `tabard.v1.EvaluationService`."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    async def Evaluate(
        self, request: evaluation_service_pb2.EvaluateRequest, context: Context
    ) -> None:
        """Stream an evaluation; a caller that leaves ends it within one step."""
        wish = read_wish(request, caller=context.caller, identity=context.identity)
        with_pictures = request.with_pictures
        # Nobody else may hold the request: its pictures are let go of once they are read.
        del request

        async def tell(event: EvaluationEvent) -> None:
            for message in write_event(event, with_pictures=with_pictures):
                await context.write(message)

        await self._evaluation.evaluate(wish, tell=tell)
