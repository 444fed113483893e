# SPDX-License-Identifier: Apache-2.0
"""PublishReferences over real gRPC: parts in their order, and what judges with them afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard.v1 import evaluation_service_pb2 as evaluation
from tabard.v1 import evaluation_service_pb2_grpc, evidence_service_pb2_grpc
from tabard.v1 import evidence_service_pb2 as pb
from tests.server.evaluation.wishes.asking import grid_document
from tests.server.evidence.pictures import noise
from tests.server.harness import Server, iter_parts, refusal_of, serving

INK = "acme/ink@1.0.0"
Part = pb.PublishReferencesRequest


def header(ref: str = INK, **fields: Any) -> Part:
    """The first message."""
    return Part(header=pb.ReferencesHeader(ref=ref, actor="tester", **fields))


def pictures(count: int = 4) -> list[Part]:
    """The messages behind it."""
    return [
        Part(picture=pb.ReferencePicture(name=f"{n}.png", content=noise(n))) for n in range(count)
    ]


def publish(server: Server, *parts: Part) -> Any:
    """Send them."""
    stub: Any = evidence_service_pb2_grpc.EvidenceServiceStub(server.channel)
    return stub.PublishReferences(iter_parts(list(parts)))


@pytest.mark.parametrize("embeddings_only", [False, True])
def test_references_are_judged_with(tmp_path: Path, embeddings_only: bool) -> None:
    """A successor is compared with what lies beside the release before it."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.publish("acme/ink", "1.1.0")
            done = await publish(server, header(embeddings_only=embeddings_only), *pictures(5))
            judging: Any = evaluation_service_pb2_grpc.EvaluationServiceStub(server.channel)
            request = evaluation.EvaluateRequest(
                ref="acme/ink@1.1.0", grid_document=grid_document(), actor="tester"
            )
            events = [event async for event in judging.Evaluate(request)]

            assert (done.picture_count, done.created) == (5, True)
            assert done.note.kind == pb.EVIDENCE_KIND_REFERENCES
            started = events[0].started
            assert started.reference_source == evaluation.REFERENCE_SOURCE_PUBLISHED
            assert started.reference_count == 5
            assert events[-1].HasField("verdict")

    asyncio.run(walk())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "UPLOAD_BROKEN"),
        (pictures(), "UPLOAD_BROKEN"),
        ([header(), header()], "UPLOAD_BROKEN"),
        ([header(), Part()], "UPLOAD_BROKEN"),
        ([header()], "REFERENCES_TOO_FEW"),
        ([header(), *pictures(3), pictures(1)[0]], "REFERENCES_TOO_FEW"),
        ([header("acme/nobody"), *pictures()], "ADAPTER_NOT_FOUND"),
        ([header(kind=pb.EVIDENCE_KIND_REPORT), *pictures()], "FIELD_INVALID"),
        (
            [header(), Part(picture=pb.ReferencePicture(name="x.png", content=b"x"))],
            "PICTURE_UNREADABLE",
        ),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, parts: list[Part], reason: str) -> None:
    """Each says what to do, and nothing is kept."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            seq = server.app.registry.seq
            refusal = await refusal_of(publish(server, *parts))

            assert refusal.reason == reason
            assert refusal.hint
            assert server.app.registry.seq == seq

    asyncio.run(walk())
