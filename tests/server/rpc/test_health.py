# SPDX-License-Identifier: Apache-2.0
"""Health: the one state of the server, told to whoever asks, and waiting for nobody."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard.v1 import operations_service_pb2
from tabard_server.rpc.door.exchange import Exchange
from tabard_server.rpc.server import SERVICES
from tests.server.harness import Refusal, Server, refusal_of, serving, until

NAMES = ("", *SERVICES)
STATUS = health_pb2.HealthCheckResponse


def stub_of(server: Server) -> Any:
    """Return what asks for health."""
    return health_pb2_grpc.HealthStub(server.channel)


def request(service: str = "") -> Any:
    """Return the question for one service."""
    return health_pb2.HealthCheckRequest(service=service)


def test_health_follows_what_is_served(tmp_path: Path) -> None:
    """Every service and the server as a whole say the same, one by one and in the list."""

    async def walk() -> list[set[int]]:
        async with serving(tmp_path) as server:

            async def ask() -> list[set[int]]:
                checks = {(await stub_of(server).Check(request(name))).status for name in NAMES}
                listed = (await stub_of(server).List(health_pb2.HealthListRequest())).statuses
                assert set(listed) == set(NAMES)
                return [checks, {one.status for one in listed.values()}]

            before = await ask()
            await server.operations.Drain(operations_service_pb2.DrainRequest())
            return [*before, *await ask()]

    assert asyncio.run(walk()) == [{STATUS.SERVING}] * 2 + [{STATUS.NOT_SERVING}] * 2


def test_watcher_is_told_of_changes(tmp_path: Path) -> None:
    """At once what is so, and then each time it is another; of a service that is not here, too."""

    async def walk() -> list[int]:
        async with serving(tmp_path) as server:
            watch, other = (stub_of(server).Watch(request(name)) for name in ("", "other.Service"))
            first = (await watch.read()).status
            await server.operations.Drain(operations_service_pb2.DrainRequest())
            return [first, (await watch.read()).status, (await other.read()).status]

    assert asyncio.run(walk()) == [STATUS.SERVING, STATUS.NOT_SERVING, STATUS.SERVICE_UNKNOWN]


def test_health_of_unknown_service_is_not_found(tmp_path: Path) -> None:
    """As the protocol says, and typed."""

    async def walk() -> Refusal:
        async with serving(tmp_path) as server:
            return await refusal_of(stub_of(server).Check(request("other.Service")))

    refusal = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_UNKNOWN")
    assert refusal.hint


def test_change_waits_for_no_watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers of every name take nothing: whoever asks is told of the change all the same."""
    stuck: list[Any] = []

    async def never_taken(_exchange: Exchange, message: Any) -> None:
        stuck.append(message)
        await asyncio.Event().wait()

    async def walk() -> set[int]:
        async with serving(tmp_path) as server:
            monkeypatch.setattr(Exchange, "write", never_taken)
            watches = [stub_of(server).Watch(request(name)) for name in NAMES]
            await until(lambda: len(stuck) == len(watches))
            await server.operations.Drain(operations_service_pb2.DrainRequest())
            return {(await stub_of(server).Check(request(name))).status for name in NAMES}

    assert asyncio.run(walk()) == {STATUS.NOT_SERVING}
