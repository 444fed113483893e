# SPDX-License-Identifier: Apache-2.0
"""A server with a canary, and what is asked of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tabard.v1 import canary_service_pb2 as pb
from tabard.v1 import canary_service_pb2_grpc
from tabard_registry import Digest
from tabard_registry.acts import CanaryName, raise_share
from tests.registry.canary_acts import SERVER
from tests.server.harness import Server, Told, provenance_of, serving

LINE = "acme/ink"


@asynccontextmanager
async def with_releases(folder: Path, **changes: Any) -> AsyncIterator[Server]:
    """A server with three releases, the first of them stable."""
    async with serving(folder, **changes) as server:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            await server.publish(LINE, version)
        await server.promote(f"{LINE}@1.0.0")
        yield server


def stub(server: Server) -> Any:
    """The service."""
    return canary_service_pb2_grpc.CanaryServiceStub(server.channel)


async def start(server: Server, version: str = "1.1.0", **said: Any) -> pb.Canary:
    """Start a canary."""
    request = pb.StartCanaryRequest(ref=f"{LINE}@{version}", actor="ann", **said)
    return (await stub(server).StartCanary(request)).canary


async def status(server: Server, ref: str = LINE) -> pb.Canary:
    """How it stands."""
    return (await stub(server).GetCanary(pb.GetCanaryRequest(ref=ref))).canary


async def stop(server: Server, ref: str = LINE) -> pb.Canary:
    """Stop it, as a person."""
    request = pb.StopCanaryRequest(ref=ref, actor="ann", reason="enough seen")
    return (await stub(server).StopCanary(request)).canary


async def report(server: Server, **said: Any) -> pb.ReportImageResponse:
    """Complain."""
    request = pb.ReportImageRequest(label=pb.IMAGE_LABEL_STYLE_MISMATCH, **said)
    return await stub(server).ReportImage(request)


def expose(server: Server, canary: pb.Canary, *shares: float) -> None:
    """Let the canary take the steps that it would take by itself."""
    line = server.app.registry.state.adapters
    adapter = next(name for name in line if str(name) == canary.adapter)
    name = CanaryName(adapter=adapter, candidate=Digest.parse(canary.candidate_digest))
    for share in shares:
        server.app.registry.commit(raise_share(name, share=share), author=SERVER)


async def draw(server: Server, key: str = "", **fields: Any) -> Told:
    """Draw by the channel."""
    return await server.generate(adapters=[LINE], canary_key=key, **fields)


async def key_of(server: Server, version: str) -> str:
    """A key whose caller is served a version by the channel."""
    for number in range(64):
        told = await draw(server, f"caller-{number}")
        if told.accepted.worn[0].version == version:
            return f"caller-{number}"
    raise AssertionError(f"nobody is served {version}")


def stack_of(told: Told) -> Any:
    """What the picture itself says that it wears."""
    return provenance_of(told.images[0].content)["stack"]
