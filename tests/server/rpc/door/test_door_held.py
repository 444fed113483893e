# SPDX-License-Identifier: Apache-2.0
"""Hostile callers on real connections: what they hold has bounds, and operators are not stopped."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import operations_service_pb2, operations_service_pb2_grpc, registry_service_pb2_grpc
from tabard.v1 import registry_service_pb2 as pb
from tabard_server.limits import Limits
from tests.server.harness import (
    PATIENCE_SECONDS,
    Refusal,
    Server,
    iter_parts,
    lora_file,
    publish_parts,
    read_refusal,
    refs,
    refusal_of,
    serving,
    small_limits,
    until,
)

SERVING = health_pb2.HealthCheckResponse.SERVING


@asynccontextmanager
async def own_connection(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    """Connect as somebody else: on loopback a connection is a caller."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        yield channel


async def stocked(server: Server) -> None:
    """Publish two releases and promote both, so that there is something to take back."""
    for version in ("1.0.0", "1.1.0"):
        await server.publish("acme/ink", version)
        await server.promote(f"acme/ink@{version}")


async def operate(channel: grpc.aio.Channel) -> list[Any]:
    """Do over a connection what an operator does when things go wrong."""
    health: Any = health_pb2_grpc.HealthStub(channel)
    operations: Any = operations_service_pb2_grpc.OperationsServiceStub(channel)
    registry: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
    rollback = pb.RollbackRequest(adapter="acme/ink", reason="looks wrong", actor="operator")
    quarantine = pb.QuarantineRequest(ref="acme/ink@1.1.0", reason="stolen", actor="operator")
    return [
        (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING,
        bool((await operations.GetStatus(operations_service_pb2.GetStatusRequest())).version),
        (await registry.Rollback(rollback)).move.version,
        (await registry.Quarantine(quarantine)).release.quarantined,
    ]


WELL = [True, True, "1.0.0", True]


class Silent:
    """Uploads that begin and then send nothing, until told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def parts(self, *first: Any) -> AsyncIterator[Any]:
        for part in first:
            yield part
        await self.go_on.wait()


@pytest.mark.parametrize("is_own", [True, False])
def test_silent_uploads_stop_nobody(is_own: bool, tmp_path: Path) -> None:
    """Not another's upload, and no act of an operator's, over the same connection either."""
    draft = publish_parts("acme/pen", "1.0.0", content=b"")[:1]

    async def walk() -> tuple[list[Any], bool]:
        async with (
            serving(tmp_path, limits=Limits(uploads_max=4)) as server,
            own_connection(server) as other,
        ):
            await stocked(server)
            silent = Silent()
            calls = [server.registry.Publish(silent.parts(*draft)) for _ in range(6)]
            await until(lambda: places(server, "UPLOAD") == (3, 3))
            done = await operate(other if is_own else server.channel)
            stub: Any = registry_service_pb2_grpc.RegistryServiceStub(other)
            parts = publish_parts("acme/pencil", "1.0.0", content=lora_file())
            published = await stub.Publish(iter_parts(parts))
            for call in calls:
                call.cancel()
            await until(lambda: places(server, "UPLOAD") == (0, 0))
            return done, published.created

    assert asyncio.run(walk()) == (WELL, True)


def places(server: Server, work: str) -> tuple[int, int]:
    """Return how many hold a place for some work, and how many wait."""
    found = {one.name: of for one, of in server.app.gate._work.items()}[work]
    return found.held, found.waiting


@pytest.mark.parametrize("size", [0, 1, 1_023])
def test_chunks_of_nothing_are_refused(size: int, tmp_path: Path) -> None:
    """The first of them: a message costs more than its bytes then."""
    start = publish_parts("acme/pen", "1.0.0", content=b"x" * 10_000)[:2]

    async def endless() -> AsyncIterator[Any]:
        for part in start:
            yield part
        while True:
            yield pb.PublishRequest(chunk=b"x" * size)

    async def walk() -> Refusal:
        async with serving(tmp_path) as server:
            return await refusal_of(server.registry.Publish(endless()))

    refusal = asyncio.run(walk())

    assert refusal.reason == "UPLOAD_BROKEN"
    assert "limits.upload_chunk_bytes_min" in refusal.message


def test_watches_of_health_stop_nobody(tmp_path: Path) -> None:
    """More than the bound are refused typed; other watches, calls and operators go on."""

    async def walk() -> tuple[set[str], list[Any], int]:
        limits = Limits(calls_max=40, operator_calls_reserved=8, watchers_max=8)
        async with serving(tmp_path, limits=limits) as server, own_connection(server) as other:
            await stocked(server)
            stub: Any = health_pb2_grpc.HealthStub(server.channel)
            calls = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(60)]
            firsts = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
            refused = [one for one in firsts if isinstance(one, grpc.aio.AioRpcError)]
            reasons = {read_refusal(one).reason for one in refused}
            assert len(calls) - len(refused) == 6
            done = await operate(server.channel)
            watch: Any = registry_service_pb2_grpc.RegistryServiceStub(other).Watch
            record = await watch(pb.WatchRequest(from_seq=1)).read()
            assert (await server.generate("x")).kinds[-1] == "done"
            return reasons, done, record.record.seq

    reasons, done, seq = asyncio.run(walk())

    assert reasons == {"WATCHERS_BUSY"}
    assert (done, seq) == (WELL, 1)


def test_calls_of_one_stop_nobody(tmp_path: Path) -> None:
    """Whoever opens as many as it can leaves places for others, and operators theirs."""

    async def walk() -> tuple[Refusal, list[Any], list[Any]]:
        limits = Limits(calls_max=40, operator_calls_reserved=8)
        async with serving(tmp_path, limits=limits) as server, own_connection(server) as other:
            await stocked(server)
            rpc = server.channel.unary_stream("/tabard.v1.GenerationService/Generate")
            open_stream = server.channel.stream_stream("/tabard.v1.GenerationService/Generate")
            calls = [open_stream() for _ in range(40)]
            await until(lambda: server.app.gate._calls.held == 24)
            refusal = await refusal_of(rpc(b"\x0a\x01x"))
            registry: Any = registry_service_pb2_grpc.RegistryServiceStub(other)
            resolved = await registry.Resolve(pb.ResolveRequest(ref="acme/ink@1.0.0"))
            done = await operate(server.channel)
            for call in calls:
                call.cancel()
            return refusal, [resolved.release.version], done

    refusal, resolved, done = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLS_BUSY")
    assert "its share of 32" in refusal.message
    assert (resolved, done) == (["1.0.0"], WELL)


def test_stuck_acts_stop_no_rollback(tmp_path: Path) -> None:
    """With every thread stuck where acts and uploads end, what was promoted is taken back."""
    draft = pb.ReleaseDraft(adapter="acme/mix", version="1.0.0", actor="tester")
    recipe = pb.PublishRecipeRequest(draft=draft, members=refs("acme/ink@1.0.0:0.5"))

    async def walk() -> list[Any]:
        limits = small_limits(registry_acts_max=4, registry_queue_max=8, uploads_max=1)
        async with serving(tmp_path, limits=limits) as server:
            await stocked(server)
            may_end = threading.Event()

            began: list[str] = []

            def stuck(*_args: Any, **_kwargs: Any) -> None:
                began.append("one")
                assert may_end.wait(PATIENCE_SECONDS)

            server.app.registry.publish_recipe = stuck  # type: ignore[assignment, method-assign]
            server.app.registry.publish = stuck  # type: ignore[assignment, method-assign]
            try:
                acts = [server.registry.PublishRecipe(recipe) for _ in range(12)]
                parts = publish_parts("acme/pen", "1.0.0", content=lora_file())
                acts.append(server.registry.Publish(iter_parts(parts)))
                await until(lambda: places(server, "ACT") == (4, 8) and len(began) == 5)
                return await operate(server.channel)
            finally:
                may_end.set()
                for act in acts:
                    act.cancel()

    assert asyncio.run(walk()) == WELL
