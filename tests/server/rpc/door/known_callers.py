# SPDX-License-Identifier: Apache-2.0
"""A server that asks who calls, with three namespaces, and calls of every method as somebody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tabard.v1 import (
    adapter_pb2,
    evaluation_service_pb2,
    generation_service_pb2,
    identity_service_pb2,
)
from tabard.v1 import canary_service_pb2 as canary
from tabard.v1 import evidence_service_pb2 as evidence
from tabard.v1 import job_service_pb2 as jobs
from tabard.v1 import operations_service_pb2 as operations
from tabard.v1 import registry_service_pb2 as registry
from tabard.v1 import review_service_pb2 as review
from tabard_registry import AdapterRef, Author
from tabard_registry.identity.roles import Grants, Role
from tabard_server.access.settings import IdentitySettings
from tabard_server.rpc.server import SERVED
from tests.server.adapters.published_lora import publish_lora
from tests.server.evidence.pictures import noise
from tests.server.harness import PATIENCE_SECONDS, Server, publish_parts, refs, serving

OWN, OTHER, PRIVATE, ABSENT = "acme", "beta", "secret", "absent"
ROOT = Author(actor="root", reason="for a test")
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for service in SERVED
    for method in service.methods
}


@asynccontextmanager
async def asking(folder: Path, **changes: Any) -> AsyncIterator[Server]:
    """Run a server that knows tokens, with a release in three namespaces, one of them private."""
    changes = {"identity": IdentitySettings(tokens=True)} | changes
    async with serving(folder, **changes) as server:
        home = server.app.registry
        for space in (OWN, OTHER, PRIVATE):
            for version in ("1.0.0", "1.1.0"):
                place = folder / f"{space}-{version}"
                place.mkdir()
                publish_lora(home, folder=place, name=f"{space}/ink", version=version)
                ref = AdapterRef.parse(f"{space}/ink@{version}")
                home.promote(ref, channel="stable", author=ROOT)
        home.set_policy(PRIVATE, author=ROOT, private=True)
        yield server


def token_for(server: Server, name: str, **roles: tuple[Role, ...]) -> str:
    """Make a token with roles by namespace; `everywhere` is `*`."""
    grants = {
        "*" if space == "everywhere" else space: frozenset(some) for space, some in roles.items()
    }
    made = server.app.registry.create_token(name, grants=Grants(grants), author=ROOT)
    return made.secret


def as_bearer(secret: str | None) -> list[tuple[str, str]]:
    """Return the metadata of a call by a token."""
    return [] if secret is None else [("authorization", f"Bearer {secret}")]


def request_for(path: str, space: str) -> list[Message]:
    """Return the messages of a call of a method that is about a release of a namespace."""
    return _REQUESTS[path](space)


async def call(
    server: Server, path: str, messages: list[Message], *, secret: str | None
) -> tuple[list[Any], Any]:
    """Call a method; return what it answers, of a watch the first of it, and how it fails.

    The client is a thread: one of `grpc.aio` that still sends when it is refused may be told no
    more than that sending failed, and not why.
    """
    return await asyncio.to_thread(_call, server.address, path, messages, as_bearer(secret))


def _call(
    address: str, path: str, messages: list[Message], metadata: list[tuple[str, str]]
) -> tuple[list[Any], Any]:
    found: list[Any] = []
    with grpc.insecure_channel(address) as channel:
        stub: Any = channel.stream_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(METHODS[path].output_type).FromString,
        )
        running = stub(iter(messages), metadata=metadata, timeout=PATIENCE_SECONDS)
        try:
            for answer in running:
                found.append(answer)
                if path.endswith("/Watch"):
                    running.cancel()
                    break
        except grpc.RpcError as error:
            return found, error
    return found, None


def _ref(space: str) -> str:
    return f"{space}/ink@1.0.0"


def _line(space: str) -> str:
    return f"{space}/ink"


def _references(space: str) -> list[Message]:
    header = evidence.ReferencesHeader(ref=_ref(space))
    return [evidence.PublishReferencesRequest(header=header)]


def _words(space: str) -> dict[str, Any]:
    return {"ref": _ref(space), "reason": "why", "actor": "somebody"}


def _upload(space: str) -> list[Message]:
    return list(publish_parts(f"{space}/new", "1.0.0", content=b"x" * 2_000))


def _check(_space: str) -> list[Message]:
    start = registry.FileStart(name="x", bytes_total=2_000)
    return [registry.CheckRequest(file=start), registry.CheckRequest(chunk=b"x" * 2_000)]


def _recipe(space: str) -> list[Message]:
    draft = registry.ReleaseDraft(adapter=f"{space}/mix", version="1.0.0")
    return [registry.PublishRecipeRequest(draft=draft, members=refs(_ref(space)))]


def _token(space: str) -> list[Message]:
    grant = identity_service_pb2.Grant(
        namespace=space, role=identity_service_pb2.Role.ROLE_GENERATE
    )
    return [identity_service_pb2.CreateTokenRequest(name="made", grants=[grant])]


def _evaluate(space: str) -> list[Message]:
    return [evaluation_service_pb2.EvaluateRequest(ref=_ref(space), actor="somebody")]


def _draw(space: str) -> list[Message]:
    ask = generation_service_pb2.GenerateRequest(
        prompt="x", adapters=[adapter_pb2.WeightedRef(ref=_ref(space))], num_inference_steps=1
    )
    return [ask]


_V = "/tabard.v1.ReviewService/"
_C = "/tabard.v1.CanaryService/"
_E = "/tabard.v1.EvidenceService/"
_R, _O = "/tabard.v1.RegistryService/", "/tabard.v1.OperationsService/"
_I, _H = "/tabard.v1.IdentityService/", "/grpc.health.v1.Health/"


def _one(kind: type[Message], **fields: Any) -> Any:
    def make(space: str) -> list[Message]:
        return [kind(**{name: value(space) for name, value in fields.items()})]

    return make


def _nothing(path: str) -> Any:
    return lambda _space: [GetMessageClass(METHODS[path].input_type)()]


def _standing(kind: type[Message]) -> Any:
    return lambda space: [kind(**_words(space))]


_JOBS: tuple[Any, ...] = (
    jobs.GetJobRequest,
    jobs.WatchJobRequest,
    jobs.ListJobsRequest,
    jobs.CancelJobRequest,
    jobs.RetryJobRequest,
    jobs.GetJobImageRequest,
)
_REQUESTS: dict[str, Any] = {
    "/tabard.v1.GenerationService/Generate": _draw,
    **{
        f"/tabard.v1.JobService/{request.DESCRIPTOR.name.removesuffix('Request')}": _one(request)
        for request in _JOBS
    },
    f"{_C}StartCanary": _standing(canary.StartCanaryRequest),
    f"{_C}GetCanary": _one(canary.GetCanaryRequest, ref=_ref),
    f"{_C}ListCanaries": _one(canary.ListCanariesRequest, adapter=lambda space: f"{space}/ink"),
    f"{_C}StopCanary": _standing(canary.StopCanaryRequest),
    f"{_C}ReportImage": _one(
        canary.ReportImageRequest,
        job_id=lambda space: f"{space}-job",
        label=lambda _space: canary.IMAGE_LABEL_ARTIFACT,
    ),
    f"{_V}ExplainPolicy": _one(review.ExplainPolicyRequest, ref=_ref),
    "/tabard.v1.EvaluationService/Evaluate": _evaluate,
    f"{_E}ListEvidence": _one(evidence.ListEvidenceRequest, ref=_ref),
    f"{_E}GetEvidence": _one(evidence.GetEvidenceRequest, ref=_ref),
    f"{_E}GetPicture": _one(
        evidence.GetPictureRequest,
        ref=_ref,
        evidence_digest=lambda _space: "0" * 64,
        digest=lambda _space: "sha256:" + "0" * 64,
    ),
    f"{_E}EditEvidence": _one(
        evidence.EditEvidenceRequest,
        ref=_ref,
        digest=lambda _space: "0" * 64,
        document=lambda _space: b"{}",
    ),
    f"{_E}FileReview": _one(evidence.FileReviewRequest, ref=_ref),
    f"{_E}LookupPicture": _one(evidence.LookupPictureRequest, image=lambda _space: noise(1)),
    f"{_E}PublishReferences": _references,
    f"{_E}PutGrid": _one(evidence.PutGridRequest, place=_line, grid_document=lambda _space: b"{}"),
    f"{_E}GetGrid": _one(evidence.GetGridRequest, place=_line, name=lambda _space: "style"),
    f"{_E}ListGrids": _one(evidence.ListGridsRequest, place=_line),
    f"{_V}Review": _one(
        review.ReviewRequest,
        ref=_ref,
        decision=lambda _space: review.REVIEW_DECISION_APPROVE,
        note=lambda _space: "why",
    ),
    f"{_V}ListReviews": _one(review.ListReviewsRequest, ref=_ref),
    f"{_V}NextPair": _one(review.NextPairRequest, ref=_ref),
    f"{_V}GetPairPicture": _one(
        review.GetPairPictureRequest,
        ref=_ref,
        pair=lambda _space: "0" * 32,
        side=lambda _space: review.PAIR_SIDE_A,
    ),
    f"{_V}Vote": _one(
        review.VoteRequest,
        ref=_ref,
        pair=lambda _space: "0" * 32,
        choice=lambda _space: review.VOTE_CHOICE_TIE,
    ),
    f"{_O}GetStatus": _nothing(f"{_O}GetStatus"),
    f"{_O}Verify": _nothing(f"{_O}Verify"),
    f"{_O}ListReplicas": _nothing(f"{_O}ListReplicas"),
    f"{_O}Drain": _nothing(f"{_O}Drain"),
    f"{_O}Warm": _one(operations.WarmRequest, ref=_ref),
    f"{_R}Publish": _upload,
    f"{_R}Check": _check,
    f"{_R}GetAdapter": _one(registry.GetAdapterRequest, adapter=lambda space: f"{space}/ink"),
    f"{_R}ListAdapters": _nothing(f"{_R}ListAdapters"),
    f"{_R}ListReleases": _one(registry.ListReleasesRequest, adapter=lambda space: f"{space}/ink"),
    f"{_R}Resolve": _one(registry.ResolveRequest, ref=_ref),
    f"{_R}Promote": _standing(registry.PromoteRequest),
    f"{_R}Rollback": _one(
        registry.RollbackRequest, adapter=lambda space: f"{space}/ink", reason=lambda _space: "why"
    ),
    f"{_R}Yank": _standing(registry.YankRequest),
    f"{_R}Unyank": _standing(registry.UnyankRequest),
    f"{_R}Quarantine": _standing(registry.QuarantineRequest),
    f"{_R}Lift": _standing(registry.LiftRequest),
    f"{_R}Purge": _standing(registry.PurgeRequest),
    f"{_R}PublishRecipe": _recipe,
    f"{_R}Edit": _one(
        registry.EditRequest, ref=_ref, notes=lambda _space: "other", reason=lambda _space: "why"
    ),
    f"{_R}Sign": _one(
        registry.SignRequest,
        ref=_ref,
        key_id=lambda _space: "0" * 16,
        signature=lambda _space: "AA==",
    ),
    f"{_R}GetManifest": _one(registry.GetManifestRequest, ref=_ref),
    f"{_R}Diff": _one(registry.DiffRequest, ref=_ref, other_ref=_ref),
    f"{_R}GetDependents": _one(registry.GetDependentsRequest, ref=_ref),
    f"{_R}Fetch": _one(registry.FetchRequest, ref=_ref),
    f"{_R}Search": _one(registry.SearchRequest, words=lambda _space: "ink"),
    f"{_R}ServedAt": lambda space: [
        _at_any_time(registry.ServedAtRequest(adapter=f"{space}/ink" if space else ""))
    ],
    f"{_R}History": lambda space: [
        registry.HistoryRequest(adapter=f"{space}/ink" if space else "")
    ],
    f"{_R}Watch": lambda _space: [registry.WatchRequest(from_seq=1)],
    f"{_I}WhoAmI": _nothing(f"{_I}WhoAmI"),
    f"{_I}CreateToken": _token,
    f"{_I}ListTokens": _nothing(f"{_I}ListTokens"),
    f"{_I}RevokeToken": lambda _space: [
        identity_service_pb2.RevokeTokenRequest(token="nobodys", reason="why")
    ],
    f"{_I}GetPolicy": _one(identity_service_pb2.GetPolicyRequest, namespace=lambda space: space),
    f"{_I}SetPolicy": lambda space: [
        identity_service_pb2.SetPolicyRequest(namespace=space, require_identity=False)
    ],
    f"{_H}Check": _nothing(f"{_H}Check"),
    f"{_H}List": _nothing(f"{_H}List"),
    f"{_H}Watch": _nothing(f"{_H}Watch"),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": lambda _space: [],
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": lambda _space: [],
}


def _at_any_time(request: registry.ServedAtRequest) -> registry.ServedAtRequest:
    request.time.FromJsonString("2999-01-01T00:00:00Z")
    return request
