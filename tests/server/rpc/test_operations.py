# SPDX-License-Identifier: Apache-2.0
"""What an operator sees and does: status, warm, drain, health, reflection, metrics."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import operations_service_pb2 as pb
from tabard_registry.identity.roles import Role
from tabard_registry.release.sampling import PREDICTIONS
from tabard_server.engine_port.costs import Compiled
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.rpc.names import number_of
from tabard_server.settings import TelemetrySettings
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refusal_of, serving, until
from tests.server.rpc.door.known_callers import (
    OWN,
    as_bearer,
    asking,
    call,
    request_for,
    token_for,
)


def test_status_tells_base_and_registry(tmp_path: Path) -> None:
    """Status names the base, the registry and what lies in memory."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            warm = await server.operations.Warm(pb.WarmRequest(ref="acme/ink@1.0.0"))
            assert warm.resident.tier == pb.TIER_HOST
            status = await server.status()
            assert status.residents[0].digest == published.release.digest
            return status

    status = asyncio.run(walk())
    assert status.base_family == "sd1"
    assert (status.base_prediction, status.base_zero_snr) == (pb.PREDICTION_EPSILON, False)
    assert list(status.base_remarks) == ["2 keys are not read"]
    assert status.registry_seq == 1
    assert list(status.samplers) == ["ddim", "euler"]
    assert status.residents[0].leases == 0


@pytest.mark.parametrize("word", PREDICTIONS)
def test_every_prediction_has_a_number(word: str) -> None:
    """A base says what it predicts, whatever that is; silence alone is not known."""
    assert bool(number_of(pb.Prediction.DESCRIPTOR, word)) is bool(word)


def test_status_tells_how_samplers_are_walked(tmp_path: Path) -> None:
    """Those of this base, each with what may be said beside it, and names for people."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            return await server.status()

    status = asyncio.run(walk())
    ddim, euler = status.sampler_options
    assert (ddim.name, ddim.title, list(ddim.takes)) == ("ddim", "DDIM", ["eta"])
    assert list(ddim.timestep_spacings) == ["leading", "trailing", "linspace"]
    assert "karras" in euler.schedules and "karras" not in ddim.schedules
    assert {one.name: list(one.aliases) for one in status.schedules}["normal"] == ["uniform"]


def test_status_tells_what_was_planned(tmp_path: Path) -> None:
    """Bytes by purpose, the rows of a step, and which settings the server chose itself."""
    plan = MemoryPlan(
        base=1,
        slots=2,
        merged=3,
        gathered=4,
        activations=5,
        rows_per_step=6,
        chosen=("merged_copy",),
        free=70,
        packed=8,
        texts=9,
        shelved=11,
        visiting=1,
    )

    async def walk() -> Any:
        async with serving(tmp_path, engine=FakeEngine(plan=plan)) as server:
            return (await server.status()).memory_plan

    found = asyncio.run(walk())
    assert (found.base_bytes, found.slot_bytes, found.merged_bytes) == (1, 2, 3)
    assert (found.gathered_bytes, found.activation_bytes, found.free_bytes) == (4, 5, 70)
    assert (found.rows_per_step, list(found.chosen)) == (6, ["merged_copy"])
    assert (found.packed_bytes, found.text_bytes, found.shelved_bytes) == (8, 9, 11)


def test_status_says_what_is_compiled(tmp_path: Path) -> None:
    """How far it is, and nothing where nobody asked for it."""
    compiled = Compiled(ready=1, waiting=2, slower=3, failure="no g++", unfit=4)

    async def walk(engine: FakeEngine) -> Any:
        async with serving(tmp_path, engine=engine) as server:
            return await server.status()

    found = asyncio.run(walk(FakeEngine(compiled=compiled))).compiled
    assert (found.ready, found.waiting, found.slower, found.failure) == (1, 2, 3, "no g++")
    assert found.unfit == 4
    assert not asyncio.run(walk(FakeEngine())).HasField("compiled")


def test_drain_refuses_new_and_finishes_old(tmp_path: Path) -> None:
    """While draining, health says so, new jobs are sent elsewhere, running ones end well."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            assert await health_of(server) == health_pb2.HealthCheckResponse.SERVING
            running = asyncio.ensure_future(server.generate())
            await until(lambda: server.app.generation.jobs_left == 1)
            left = await server.operations.Drain(pb.DrainRequest())
            refusal = await refusal_of(server.generation.Generate(Request(prompt="x")))
            assert await health_of(server) == health_pb2.HealthCheckResponse.NOT_SERVING
            engine.allow(1000)
            told = await running
            assert (
                await server.operations.Drain(pb.DrainRequest(wait={"seconds": 5}))
            ).jobs_left == 0

        assert left.jobs_left == 1
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
        assert refusal.reason == "DRAINING"
        assert refusal.retry_seconds is not None
        assert told.kinds[-1] == "done"

    asyncio.run(walk())


def test_stop_cuts_off_after_its_bound(tmp_path: Path) -> None:
    """A job that outlasts the drain bound is told that the server stopped."""
    engine = FakeEngine(step_seconds=0.05)

    async def walk() -> Any:
        async with serving(tmp_path, engine=engine, drain_seconds_max=0.05) as server:
            job = asyncio.ensure_future(
                refusal_of(server.generation.Generate(Request(prompt="x", num_inference_steps=150)))
            )
            await until(lambda: server.app.loop.running_count == 1)
            await server.app.stop()
            server.app.stop = _nothing  # type: ignore[method-assign]
            return await job

    refusal = asyncio.run(walk())
    assert refusal.code is grpc.StatusCode.UNAVAILABLE
    assert refusal.reason == "SERVER_STOPPED"
    assert engine.open_count == 0


def test_impossible_wait_is_refused(tmp_path: Path) -> None:
    """A wait that is no number is refused before anything drains."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            request = pb.DrainRequest(wait={"seconds": -1})
            refusal = await refusal_of(server.operations.Drain(request))
            assert not (await server.status()).draining

        assert refusal.reason == "WAIT_OUT_OF_RANGE"

    asyncio.run(walk())


async def health_of(server: Server) -> int:
    """Ask the standard health service."""
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="tabard.v1.GenerationService")
    return int((await stub.Check(request)).status)


async def _nothing() -> int:
    return 0


def test_status_tells_who_is_here(tmp_path: Path) -> None:
    """By tenant, with what waits and what runs: to operators all of it, to others their own."""
    engine = FakeEngine()
    path = "/tabard.v1.OperationsService/GetStatus"

    async def walk() -> list[Any]:
        async with asking(tmp_path, engine=engine) as server:
            ann = token_for(server, "ann", **{OWN: (Role.GENERATE,)})
            bob = token_for(server, "bob", **{OWN: (Role.GENERATE,)})
            root = token_for(server, "root", everywhere=(Role.OPERATE,))
            engine.hold_steps()
            ask = Request(prompt="x", num_inference_steps=4, num_images=2)
            call_of_ann = server.generation.Generate(ask, metadata=as_bearer(ann))
            await until(lambda: server.app.loop.running_count == 2)
            found = [
                (await call(server, path, request_for(path, ""), secret=secret))[0][0]
                for secret in (root, ann, bob)
            ]
            engine.let_go()
            async for _event in call_of_ann:
                pass
            return [*found, (await call(server, path, request_for(path, ""), secret=root))[0][0]]

    root, ann, bob, after = asyncio.run(walk())

    for told in (root, ann):
        assert [(one.tenant, one.rows_waiting, one.rows_running) for one in told.tenants] == [
            ("ann", 0, 2)
        ]
    assert list(bob.tenants) == []
    assert list(after.tenants) == []
    assert list(root.identity) == ["tokens"]
    assert not root.traces
    assert (after.steps, after.row_steps) == (4, 8)


def test_status_of_a_server_that_asks_nobody(tmp_path: Path) -> None:
    """It says so, and whether it traces."""

    async def walk(**settings: Any) -> Any:
        async with serving(tmp_path, **settings) as server:
            return await server.status()

    told = asyncio.run(walk())
    traced = asyncio.run(walk(telemetry=TelemetrySettings(otlp_endpoint="http://127.0.0.1:1")))

    assert (list(told.identity), told.traces, traced.traces) == ([], False, True)


def test_replicas_are_for_operators(tmp_path: Path) -> None:
    """Of all namespaces; with their roles nobody else reads where servers are."""

    async def walk() -> list[Any]:
        async with asking(tmp_path, advertise="10.0.0.1:50051") as server:
            people = [
                token_for(server, "ann", everywhere=(Role.OPERATE,)),
                token_for(server, "bob", **{OWN: (Role.OPERATE, Role.ADMIN)}),
            ]
            await until(lambda: server.app._heartbeat.replicas() != ())
            path = "/tabard.v1.OperationsService/ListReplicas"
            return [
                await call(server, path, [pb.ListReplicasRequest()], secret=one) for one in people
            ]

    (found, error), (others, refusal) = asyncio.run(walk())

    assert error is None
    assert [one.address for one in found[0].replicas] == ["10.0.0.1:50051"]
    assert found[0].replica_id == found[0].replicas[0].id
    assert found[0].replicas[0].state == pb.SERVER_STATE_SERVING
    assert found[0].registry_seq >= found[0].replicas[0].registry_seq > 0
    assert not others
    assert refusal is not None
