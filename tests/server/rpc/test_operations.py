# SPDX-License-Identifier: Apache-2.0
"""What an operator sees and does: status, warm, drain, health, reflection, metrics."""

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tabard.v1 import operations_service_pb2 as pb
from tabard_server.telemetry.metrics import Metrics
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refusal_of, serving, until

METRICS = (
    "tabard_rows_waiting",
    "tabard_rows_running",
    "tabard_step_seconds",
    "tabard_batch_rows",
    "tabard_rows_total",
    "tabard_jobs_total",
    "tabard_failures_total",
    "tabard_job_seconds",
    "tabard_queue_seconds",
    "tabard_adapter_cache_hits_total",
    "tabard_adapter_loads_total",
    "tabard_adapter_load_seconds",
    "tabard_adapter_resident_bytes",
    "tabard_registry_seq",
    "tabard_channel_moves_total",
    "tabard_registry_lag_seconds",
    "tabard_images_total",
    "tabard_info",
    "tabard_draining",
    "tabard_registry_checkpoints_total",
)


def test_status_tells_base_and_registry(tmp_path: Path) -> None:
    """Status names the base, the registry and what lies in memory."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            published = await server.publish("acme/ink")
            warm = await server.operations.Warm(pb.WarmRequest(ref="acme/ink@1.0.0"))
            assert warm.resident.tier == "host"
            status = await server.status()
            assert status.residents[0].digest == published.release.digest
            return status

    status = asyncio.run(walk())
    assert status.base_family == "sd1"
    assert status.registry_seq == 1
    assert list(status.samplers) == ["ddim", "euler"]
    assert status.residents[0].leases == 0


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
            assert (await server.operations.Drain(pb.DrainRequest(wait_seconds=5))).jobs_left == 0

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
            request = pb.DrainRequest(wait_seconds=float("nan"))
            refusal = await refusal_of(server.operations.Drain(request))
            assert not (await server.status()).draining

        assert refusal.reason == "WAIT_OUT_OF_RANGE"

    asyncio.run(walk())


def test_reflection_names_the_services(tmp_path: Path) -> None:
    """Tools find every service without a proto."""

    async def walk() -> set[str]:
        async with serving(tmp_path) as server:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
            call = stub.ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            answer = await call.read()
            await call.done_writing()
            return {service.name for service in answer.list_services_response.service}

    assert asyncio.run(walk()) >= {
        "tabard.v1.GenerationService",
        "tabard.v1.RegistryService",
        "tabard.v1.OperationsService",
        "grpc.health.v1.Health",
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics page of a server that has drawn, failed, swapped and refused."""

    async def walk() -> str:
        async with serving(
            tmp_path_factory.mktemp("metrics"), metrics_listen="127.0.0.1:0"
        ) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            await server.generate("x", adapters=["acme/ink"])
            await refusal_of(server.generation.Generate(Request(prompt="")))
            moves = server.app.metrics.registry.get_sample_value
            await until(lambda: moves("tabard_channel_moves_total", {"action": "promote"}) == 1.0)
            return await asyncio.to_thread(read_page, server.metrics_address)

    return asyncio.run(walk())


def test_page_shows_every_metric(page: str) -> None:
    """The names that dashboards use are all on the page, and no other."""
    declared = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in Metrics().registry.collect()
    }
    declared = {"tabard_info" if name == "tabard" else name for name in declared}

    assert declared == set(METRICS)
    assert all(f"\n{name}" in page for name in METRICS)


@pytest.mark.parametrize(
    "line",
    [
        'tabard_rows_total{adapter="acme/ink",version="1.0.0"} 1.0',
        'tabard_jobs_total{outcome="done"} 1.0',
        'tabard_jobs_total{outcome="refused"} 1.0',
        'tabard_failures_total{reason="PROMPT_EMPTY"} 1.0',
        'tabard_adapter_loads_total{tier="host"} 1.0',
        'tabard_adapter_loads_total{tier="slot"} 1.0',
        "tabard_registry_seq 2.0",
        "tabard_images_total 1.0",
        "tabard_rows_running 0.0",
    ],
)
def test_page_counts_what_happened(page: str, line: str) -> None:
    """Numbers follow the walk of requests."""
    assert line in page.splitlines()


def read_page(address: str) -> str:
    """Fetch the metrics page."""
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        return str(answer.read().decode())


async def health_of(server: Server) -> int:
    """Ask the standard health service."""
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="tabard.v1.GenerationService")
    return int((await stub.Check(request)).status)


async def _nothing() -> int:
    return 0
