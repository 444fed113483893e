# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: what it tells tools of its services."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tabard.v1 import operations_service_pb2
from tabard_server.rpc.server import SERVICES
from tests.server.harness import Request, refusal_of, serving, small_limits

NAMES = ("", *SERVICES)


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


def test_health_follows_what_is_served(tmp_path: Path) -> None:
    """Every service and the server as a whole say the same, before and after."""

    async def walk() -> list[set[int]]:
        async with serving(tmp_path) as server:
            stub: Any = health_pb2_grpc.HealthStub(server.channel)

            async def ask() -> set[int]:
                requests = [health_pb2.HealthCheckRequest(service=name) for name in NAMES]
                return {(await stub.Check(request)).status for request in requests}

            before = await ask()
            await server.operations.Drain(operations_service_pb2.DrainRequest())
            return [before, await ask()]

    status = health_pb2.HealthCheckResponse
    assert asyncio.run(walk()) == [{status.SERVING}, {status.NOT_SERVING}]


def test_message_too_large_is_refused(tmp_path: Path) -> None:
    """The bound of a message is the setting's, and the server goes on."""

    async def walk() -> grpc.StatusCode:
        limits = small_limits(
            message_bytes_max=1 << 20, picture_bytes_max=1 << 10, prompt_chars_max=1 << 10
        )
        async with serving(tmp_path, limits=limits) as server:
            call = server.generation.Generate(Request(prompt="x" * (1 << 20)))
            refusal = await refusal_of(call)
            assert (await server.generate("x")).kinds[-1] == "done"
            return refusal.code

    assert asyncio.run(walk()) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_connections_are_bounded(tmp_path: Path) -> None:
    """One too many is closed as it comes; whoever leaves makes room."""

    async def opens(port: int, held: list[asyncio.StreamWriter]) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        held.append(writer)
        return bool(await reader.read(1))  # HTTP/2 greets first

    async def close(held: list[asyncio.StreamWriter]) -> None:
        while held:
            writer = held.pop()
            writer.close()
            await writer.wait_closed()

    async def walk() -> list[bool]:
        async with serving(tmp_path, limits=small_limits(connections_max=3)) as server:
            port, held = int(server.address.rpartition(":")[2]), list[asyncio.StreamWriter]()
            found = [await opens(port, held) for _ in range(4)]
            await close(held)
            while not await opens(port, held):
                await close(held)
            await close(held)
            return found

    assert asyncio.run(walk()) == [True, True, True, False]


def test_idle_connection_is_closed(tmp_path: Path) -> None:
    """One without a call goes; the next call opens another, and nobody notices."""

    async def walk() -> str:
        limits = small_limits(connection_idle_seconds_max=0.1)
        async with serving(tmp_path, limits=limits) as server:
            await server.status()
            while server.channel.get_state() is grpc.ChannelConnectivity.READY:
                await asyncio.sleep(0.01)
            return str((await server.status()).version)

    assert asyncio.run(walk())
