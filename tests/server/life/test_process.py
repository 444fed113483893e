# SPDX-License-Identifier: Apache-2.0
"""A server as a process: its signals, and that it ends within its bound, whatever hangs in it."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.cli import exit_codes
from tabard.v1 import (
    generation_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tabard_server.life.process import EXIT_ABANDONED
from tests.server.harness import (
    Refusal,
    Request,
    lora_file,
    publish_parts,
    read_refusal,
    refs,
)
from tests.server.life.server_process import Process, job_of, running

LONG_SECONDS = 3_600.0
PATIENCE_SECONDS = 60.0


def end_of(events: Any) -> Refusal:
    """Read a stream to its bad end."""
    try:
        for _event in events:
            pass
    except grpc.RpcError as error:
        return read_refusal(error)
    raise AssertionError("the job ended well")


def test_one_signal_ends_an_idle_server(tmp_path: Path) -> None:
    """Nothing hangs, so the process ends by itself, and well."""
    with running(tmp_path) as server:
        assert server.address
        server.signal(signal.SIGTERM)

        assert server.end() == 0
    assert "server.stopped jobs_cut_off=0" in server.log


def test_stuck_step_does_not_hold_a_stop(tmp_path: Path) -> None:
    """The caller is told, and the process ends without its engine, with a code of its own."""
    settings = {"drain_seconds_max": 0.1, "stop_seconds_max": 1.0}
    with running(tmp_path, stuck="step", settings=settings) as server, job_of(server) as job:
        server.awaited("step-stuck")
        server.signal(signal.SIGTERM)
        refusal = end_of(job)

        assert server.end() == EXIT_ABANDONED
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPED")
    assert "server.abandoned what=engine" in server.log


def test_second_signal_ends_a_drain(tmp_path: Path) -> None:
    """The first one waits for jobs, an hour if need be; the second one does not."""
    settings = {"drain_seconds_max": LONG_SECONDS}
    with (
        running(tmp_path, step_seconds=0.1, settings=settings) as server,
        job_of(server, num_images=16) as job,
    ):
        server.signal(signal.SIGINT)
        server.until_said("server.draining")
        server.signal(signal.SIGTERM)
        refusal = end_of(job)

        assert server.end() == 0
    assert refusal.reason == "SERVER_STOPPED"
    assert "server.stopped jobs_cut_off=1" in server.log


def test_second_signal_ends_a_stuck_server(tmp_path: Path) -> None:
    """It is told of at once even when the engine never answers, however long the bounds are."""
    settings = {"drain_seconds_max": LONG_SECONDS, "stop_seconds_max": LONG_SECONDS}
    with running(tmp_path, stuck="step", settings=settings) as server, job_of(server) as job:
        server.awaited("step-stuck")
        server.signal(signal.SIGTERM)
        server.until_said("server.draining")
        server.signal(signal.SIGTERM)
        refusal = end_of(job)

        assert server.end() == EXIT_ABANDONED
    assert refusal.reason == "SERVER_STOPPED"


def test_exit_searches_for_no_garbage(tmp_path: Path) -> None:
    """A server that is over is gone: to search what torch brought takes seconds, beyond bounds."""
    with running(tmp_path) as server:
        server.awaited("ready.json")
        server.signal(signal.SIGTERM)

        assert server.end() == 0
    assert not (tmp_path / "ready.json").exists()
    assert not (tmp_path / "garbage-found").exists()


def test_hangup_ends_nothing(tmp_path: Path) -> None:
    """A terminal that closes, or an operator who asks to reload, leaves the server serving."""
    with running(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        server.signal(signal.SIGHUP)
        server.until_said("server.hangup_ignored")
        stub: Any = generation_service_pb2_grpc.GenerationServiceStub(channel)
        *_events, last = stub.Generate(Request(prompt="x"))

        assert last.HasField("done")


def test_stuck_worker_does_not_hold_the_exit(tmp_path: Path) -> None:
    """Python would wait for a thread that reads from a store for ever; the process does not."""
    settings = {"drain_seconds_max": 0.1, "stop_seconds_max": 1.0}
    with running(tmp_path, stuck="load", settings=settings) as server:
        with grpc.insecure_channel(server.address) as channel:
            publisher: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
            publisher.Publish(iter(publish_parts("acme/ink", "1.0.0", content=lora_file())))
        with job_of(server, adapters=refs("acme/ink@1.0.0")) as job:
            server.awaited("load-stuck")
            server.signal(signal.SIGTERM)
            refusal = end_of(job)

        assert server.end() == EXIT_ABANDONED
    assert refusal.reason == "SERVER_STOPPED"
    assert "server.abandoned what=tabard-load" in server.log


def test_starting_server_says_so(tmp_path: Path) -> None:
    """While it loads, health says NOT_SERVING and calls are refused with a reason, not held."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with running(tmp_path, stuck="start", settings={"listen": address}) as server:
        server.awaited("loading")
        with grpc.insecure_channel(address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            generation: Any = generation_service_pb2_grpc.GenerationServiceStub(channel)
            registry: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
            status = health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS)
            job = end_of(generation.Generate(Request(prompt="x"), timeout=PATIENCE_SECONDS))
            found = _refusal(registry.ListAdapters, registry_service_pb2.ListAdaptersRequest())

        server.signal(signal.SIGTERM)
        assert server.end() == EXIT_ABANDONED
    assert status.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert {job.reason, found.reason} == {"SERVER_STARTING"}
    assert {job.code, found.code} == {grpc.StatusCode.UNAVAILABLE}
    assert job.retry_seconds is not None
    assert "server.abandoned what=loading" in server.log


def test_killed_server_leaves_no_temporary_files(tmp_path: Path) -> None:
    """What was half uploaded when it was killed is gone once another one has started."""
    temporary = tmp_path / "temporary"
    with running(tmp_path) as server:
        parts = publish_parts("acme/ink", "1.0.0", content=lora_file())
        asyncio.run(_die_in_upload(server, parts=parts[:2], temporary=temporary))
    left = list(temporary.iterdir())

    with running(tmp_path) as server:
        server.until_said("server.ready")
        assert list(temporary.iterdir()) == []
    assert len(left) == 1


def test_exit_code_is_documented() -> None:
    """`tabard serve` ends with the code that `tabard --help` explains."""
    assert exit_codes.ABANDONED == EXIT_ABANDONED
    assert EXIT_ABANDONED in exit_codes.MEANINGS


async def _die_in_upload(server: Process, *, parts: list[Any], temporary: Path) -> None:
    """Kill it while the caller is there: who leaves has what was uploaded cleared away."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
        call = stub.Publish()
        for part in parts:
            await call.write(part)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not list(temporary.iterdir()):
                await asyncio.sleep(0.01)
        server.process.kill()
        server.process.wait()


def _refusal(call: Any, request: Any) -> Refusal:
    try:
        call(request, timeout=PATIENCE_SECONDS)
    except grpc.RpcError as error:
        return read_refusal(error)
    raise AssertionError("the call succeeded")
