# SPDX-License-Identifier: Apache-2.0
"""Canaries over gRPC where everybody is asked who they are."""

import asyncio
from pathlib import Path
from typing import Any

from tabard.v1 import adapter_pb2, generation_service_pb2
from tabard.v1 import canary_service_pb2 as pb
from tabard_registry.identity.identity import Proof
from tabard_registry.identity.roles import Role
from tests.registry.fakes import NAME
from tests.server.canary.running import expose
from tests.server.harness import Server, read_refusal
from tests.server.rpc.door.known_callers import OTHER, OWN, PRIVATE, ROOT, asking, call, token_for

CANARY = "/tabard.v1.CanaryService"
GENERATE = "/tabard.v1.GenerationService/Generate"


async def ask(server: Server, method: str, request: Any, *, secret: str) -> Any:
    """Return an answer, or the reason of a refusal."""
    found, error = await call(server, f"{CANARY}/{method}", [request], secret=secret)
    return found[0] if error is None else read_refusal(error).reason


async def start(server: Server, space: str, *, secret: str) -> pb.Canary:
    """Start a canary: what is stable now is compared with what was."""
    request = pb.StartCanaryRequest(ref=f"{space}/ink@1.1.0", actor="for carl")
    return (await ask(server, "StartCanary", request, secret=secret)).canary


def test_canary_is_by_who_has_shown_who_they_are(tmp_path: Path) -> None:
    """Whatever they say of themselves; and a namespace that asks for proof takes it."""

    async def walk() -> tuple[pb.Canary, Any]:
        async with asking(tmp_path) as server:
            secret = token_for(server, "ann", **{OWN: (Role.PROMOTE,)})
            server.app.registry.set_policy(OWN, author=ROOT, require_identity=True)
            canary = await start(server, OWN, secret=secret)
            entry = server.app.registry.queries.history()[-1]
            return canary, (entry.actor, entry.on_behalf_of, entry.proof, entry.effective)

    canary, entry = asyncio.run(walk())

    assert (canary.started_by, canary.is_promoted, canary.share) == ("ann", True, 1.0)
    assert entry == ("ann", "for carl", Proof.TOKEN, True)


def test_private_canary_is_not_listed(tmp_path: Path) -> None:
    """To those who may not generate there it does not exist."""

    async def walk() -> list[list[str]]:
        async with asking(tmp_path) as server:
            root = token_for(server, "root", everywhere=tuple(Role))
            stranger = token_for(server, "eve", **{OTHER: (Role.GENERATE,)})
            for space in (OTHER, PRIVATE):
                await start(server, space, secret=root)
            everything = pb.ListCanariesRequest()
            answers = [
                await ask(server, "ListCanaries", everything, secret=secret)
                for secret in (root, stranger)
            ]
            return [[one.adapter for one in answer.canaries] for answer in answers]

    assert asyncio.run(walk()) == [[f"{OTHER}/ink", f"{PRIVATE}/ink"], [f"{OTHER}/ink"]]


def test_picture_of_others_is_unknown(tmp_path: Path) -> None:
    """A complaint is taken from who may draw it; others are told what a stranger is told."""

    async def walk() -> list[Any]:
        async with asking(tmp_path) as server:
            root = token_for(server, "root", everywhere=tuple(Role))
            stranger = token_for(server, "eve", **{OTHER: (Role.GENERATE,)})
            drawing = generation_service_pb2.GenerateRequest(
                prompt="x",
                adapters=[adapter_pb2.WeightedRef(ref=f"{PRIVATE}/ink")],
                num_inference_steps=1,
            )
            events, _ = await call(server, GENERATE, [drawing], secret=root)
            job = pb.ReportImageRequest(job_id=events[0].accepted.job_id, label=1)
            found = [await ask(server, "ReportImage", job, secret=one) for one in (stranger, root)]
            return [found[0], found[1].adapter]

    assert asyncio.run(walk()) == ["IMAGE_UNKNOWN", f"{PRIVATE}/ink"]


def test_complaints_of_tenants_are_units_of_their_own(tmp_path: Path) -> None:
    """Two tenants are two, though each complains twice; the identity is the key of the share."""

    async def walk() -> tuple[list[bool], int]:
        async with asking(tmp_path) as server:
            root = token_for(server, "root", everywhere=tuple(Role))
            home = server.app.registry
            home.roll_back(NAME, channel="stable", author=ROOT)
            canary = await start(server, OWN, secret=root)
            expose(server, canary, 0.05)
            counted = []
            for name in ("ann", "bob"):
                secret = token_for(server, name, **{OWN: (Role.GENERATE,)})
                drawing = generation_service_pb2.GenerateRequest(
                    prompt="x",
                    adapters=[adapter_pb2.WeightedRef(ref=f"{OWN}/ink")],
                    num_inference_steps=1,
                )
                events, _ = await call(server, GENERATE, [drawing], secret=secret)
                job = pb.ReportImageRequest(job_id=events[0].accepted.job_id, label=1)
                for _ in range(2):
                    answer = await ask(server, "ReportImage", job, secret=secret)
                    counted.append(answer.counted)
            get = pb.GetCanaryRequest(ref=f"{OWN}/ink")
            told = (await ask(server, "GetCanary", get, secret=root)).canary
            streams = {one.name: one.units for one in told.streams}
            return counted, streams["complaints"]

    assert asyncio.run(walk()) == ([True, False, True, False], 2)
