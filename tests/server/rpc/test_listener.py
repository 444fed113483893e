# SPDX-License-Identifier: Apache-2.0
"""One address: its connections are bounded, and whoever fills it leaves the operators theirs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import (
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tests.server.harness import Server, refusal_of, serving, small_limits, until

CONNECTIONS_MAX = 32


def port_of(server: Server) -> int:
    """Return the port of a server's first address."""
    return int(server.address.rpartition(":")[2])


@contextmanager
def sockets(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections that say nothing."""
    held = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(count)]
    try:
        yield held
    finally:
        for one in held:
            one.close()


@asynccontextmanager
async def dialled(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """Connect anew, as a command would."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel


async def operate(address: str) -> list[Any]:
    """Do by an address what an operator does when things go wrong."""
    async with dialled(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        operations: Any = operations_service_pb2_grpc.OperationsServiceStub(channel)
        registry: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
        rollback = registry_service_pb2.RollbackRequest(
            adapter="acme/ink", reason="looks wrong", actor="operator"
        )
        return [
            (await health.Check(health_pb2.HealthCheckRequest())).status,
            operations_service_pb2.ServerState.Name(
                (await operations.GetStatus(operations_service_pb2.GetStatusRequest())).state
            ),
            (await registry.Rollback(rollback)).move.version,
        ]


async def stocked(server: Server) -> None:
    """Publish two releases and promote both, so that there is something to take back."""
    for version in ("1.0.0", "1.1.0"):
        await server.publish("acme/ink", version)
        await server.promote(f"acme/ink@{version}")


WELL = [health_pb2.HealthCheckResponse.SERVING, "SERVER_STATE_SERVING", "1.0.0"]


@pytest.mark.parametrize("is_socket", [True, False])
def test_filled_address_leaves_operators_theirs(tmp_path: Path, is_socket: bool) -> None:
    """With many more sockets held than may be, nobody gets in but by the operators' address."""
    listen = f"unix:{tmp_path}/operators" if is_socket else "127.0.0.1:0"

    async def walk() -> tuple[grpc.StatusCode, list[Any]]:
        limits = small_limits(connections_max=CONNECTIONS_MAX)
        async with serving(tmp_path, limits=limits, operators_listen=listen) as server:
            await stocked(server)
            await server.channel.close()
            with sockets(server, 10 * CONNECTIONS_MAX):
                async with dialled(server.address) as channel:
                    operations: Any = operations_service_pb2_grpc.OperationsServiceStub(channel)
                    request = operations_service_pb2.GetStatusRequest()
                    refusal = await refusal_of(operations.GetStatus(request))
                return refusal.code, await operate(server.operators_address)

    assert asyncio.run(walk()) == (grpc.StatusCode.UNAVAILABLE, WELL)


def test_held_operators_calls_leave_operators_theirs(tmp_path: Path) -> None:
    """Calls that begin like an operator's and send nothing take the places of the first address."""

    async def walk() -> tuple[str, list[Any]]:
        limits = small_limits(calls_max=12, operator_calls_reserved=4)
        listen = f"unix:{tmp_path}/operators"
        async with serving(tmp_path, limits=limits, operators_listen=listen) as server:
            await stocked(server)
            rpc = server.channel.stream_stream("/tabard.v1.RegistryService/Rollback")
            silent: list[Any] = [rpc() for _ in range(8)]
            gate = server.app.gate
            await until(lambda: (gate._operators.held, gate._operators.waiting) == (4, 4))
            refusal = await refusal_of(server.operations.GetStatus(b""))
            done = await operate(server.operators_address)
            for call in silent:
                call.cancel()
            return refusal.reason, done

    assert asyncio.run(walk()) == ("CALLS_BUSY", WELL)


def test_operators_address_is_bounded(tmp_path: Path) -> None:
    """Whoever operates is counted as well, and refused typed; callers go on."""

    async def walk() -> tuple[str, str]:
        limits = small_limits(calls_max=12, operator_calls_reserved=4)
        listen = f"unix:{tmp_path}/operators"
        async with (
            serving(tmp_path, limits=limits, operators_listen=listen) as server,
            dialled(server.operators_address) as channel,
        ):
            rpc = channel.stream_stream("/tabard.v1.OperationsService/GetStatus")
            silent: list[Any] = [rpc() for _ in range(4)]
            await until(lambda: server.app.gate._operators_address.held == 4)
            refusal = await refusal_of(rpc())
            told = await server.generate("x")
            for call in silent:
                call.cancel()
            return refusal.reason, told.kinds[-1]

    assert asyncio.run(walk()) == ("CALLS_BUSY", "done")


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
            port, held = port_of(server), list[asyncio.StreamWriter]()
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
