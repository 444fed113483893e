# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: services, health, reflection, message bounds, the port.

In: servicers. Out: a running server with a known address. Knows nothing of what they serve.
"""

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tabard.v1 import (
    generation_service_pb2,
    generation_service_pb2_grpc,
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tabard_server.callers.gate import Gate
from tabard_server.errors import BadSettings
from tabard_server.limits import Limits
from tabard_server.rpc.door.door import Door
from tabard_server.rpc.generation.service import GenerationServicer
from tabard_server.rpc.operations import OperationsServicer
from tabard_server.rpc.registry.service import RegistryServicer

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (generation_service_pb2, "GenerationService"),
        (registry_service_pb2, "RegistryService"),
        (operations_service_pb2, "OperationsService"),
    )
)
"""Full names of Tabard's services."""
SERVED = tuple(
    service
    for module in (
        generation_service_pb2,
        registry_service_pb2,
        operations_service_pb2,
        health_pb2,
        reflection_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
"""Descriptors of everything that can be called, health and reflection too."""

_PING_SECONDS = 60
_PING_ANSWER_SECONDS = 20
_HANDSHAKE_SECONDS = 20
_PINGS_TOO_MANY = 2


class RpcServer:
    """One gRPC server. Asyncio thread."""

    def __init__(
        self,
        *,
        generation: GenerationServicer,
        registry: RegistryServicer,
        operations: OperationsServicer,
        gate: Gate,
        count: Callable[[str], None],
        limits: Limits,
    ) -> None:
        """Take the servicers, the gate before all of them, and what counts failures by reason."""
        self._door = Door(SERVED, gate=gate, count=count, limits=limits)
        self._server = grpc.aio.server(interceptors=(self._door,), options=_options(limits))
        self._health: Any = health.aio.HealthServicer()
        for add, servicer in (
            (generation_service_pb2_grpc.add_GenerationServiceServicer_to_server, generation),
            (registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, registry),
            (operations_service_pb2_grpc.add_OperationsServiceServicer_to_server, operations),
            (health_pb2_grpc.add_HealthServicer_to_server, self._health),
        ):
            add(servicer, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, listen: str) -> str:
        """Listen, and return the address with the port that was really taken.

        Raises:
            BadSettings: The address cannot be had.
        """
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise BadSettings(
                f"cannot listen on {listen}",
                reason="ADDRESS_NOT_AVAILABLE",
                hint="another process may have it: choose another port, or port 0 for any",
            ) from error
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        host = listen.rpartition(":")[0]
        return listen if host == "unix" else f"{host}:{port}"

    async def begin_serving(self) -> None:
        """Tell health checks that jobs are taken."""
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def end_serving(self) -> None:
        """Tell health checks that no new jobs are taken."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, *, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end, then cut them off."""
        await self._server.stop(grace_seconds)
        self._door.close()

    async def _set_health(self, status: int) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)


def _options(limits: Limits) -> tuple[tuple[str, int], ...]:
    """Bound what gRPC itself holds: messages, connections, and streams of one connection.

    It has no bound on the connections of one caller, and none that keeps some for operators.
    """
    return (
        ("grpc.max_receive_message_length", limits.message_bytes_max),
        ("grpc.max_send_message_length", limits.message_bytes_max),
        ("grpc.so_reuseport", 0),
        ("grpc.max_allowed_incoming_connections", limits.connections_max),
        ("grpc.max_connection_idle_ms", int(limits.connection_idle_seconds_max * 1000)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_SECONDS * 1000),
        # Above what the gate lets in, so that what is too much is refused by it, in words.
        ("grpc.max_concurrent_streams", 2 * limits.calls_max),
        ("grpc.keepalive_time_ms", _PING_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", _PING_ANSWER_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", _PINGS_TOO_MANY),
    )
