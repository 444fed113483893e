# SPDX-License-Identifier: Apache-2.0
"""Evaluations asked of a server, on a small grid."""

import json
from typing import Any

from tabard.v1 import evaluation_service_pb2 as pb
from tabard.v1 import evaluation_service_pb2_grpc
from tests.server.harness import Server

PROMPTS = 12


def grid_document(
    *, prompts: int = PROMPTS, text: str = "a star {trigger}", **changes: Any
) -> bytes:
    """Return the document of a small grid."""
    said = {
        "v": 1,
        "kind": "grid",
        "name": "small",
        "prompts": [{"text": f"{text} {number}"} for number in range(prompts)],
        "seeds": [1, 2],
        "steps": 2,
        "width": 64,
        "height": 64,
        "guidance_scale": 5.0,
    }
    return json.dumps(said | changes).encode()


def stub(server: Server) -> Any:
    """Return the service of a server."""
    return evaluation_service_pb2_grpc.EvaluationServiceStub(server.channel)


def ask(ref: str = "acme/ink@1.1.0", **fields: Any) -> pb.EvaluateRequest:
    """Return a request."""
    fields.setdefault("grid_document", grid_document())
    return pb.EvaluateRequest(ref=ref, actor="tester", **fields)


async def evaluate(server: Server, request: pb.EvaluateRequest) -> list[Any]:
    """Return the events of an evaluation."""
    return [event async for event in stub(server).Evaluate(request)]


async def prepare(server: Server) -> None:
    """Publish a line with a release in service and a successor."""
    await server.publish("acme/ink", "1.0.0")
    await server.publish("acme/ink", "1.1.0")
    await server.promote("acme/ink@1.0.0")
