# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: services, health, reflection, message bounds, the port.

In: servicers, later than the port. Out: a running server with a known address, which refuses calls
with a reason until there are servicers. Knows nothing of what they serve.
"""

import asyncio
from collections.abc import Callable, Sequence
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
from tabard_server.life.readiness import Readiness
from tabard_server.limits import Limits
from tabard_server.rpc.door.door import Door
from tabard_server.rpc.generation.service import GenerationServicer
from tabard_server.rpc.operations import OperationsServicer
from tabard_server.rpc.registry.service import RegistryServicer
from tabard_server.telemetry.logs import log_problem

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


_PREFIX = "/tabard."
_HEALTH_SECONDS_MAX = 1.0


class RpcServer:
    """One gRPC server. Asyncio thread."""

    def __init__(
        self, *, limits: Limits, readiness: Readiness, gate: Gate, count: Callable[[str], None]
    ) -> None:
        """Take what health says, the gate before all calls, and what counts failures by reason."""
        self._readiness = readiness
        self._door = Door(SERVED, gate=gate, readiness=readiness, count=count, limits=limits)
        self._server = grpc.aio.server(interceptors=(self._door,), options=_options(limits))
        self._health: Any = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._services = _Services()
        self._server.add_generic_rpc_handlers((self._services,))
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
        await self.show()
        await self._server.start()
        host = listen.rpartition(":")[0]
        return listen if host == "unix" else f"{host}:{port}"

    def serve(
        self,
        *,
        generation: GenerationServicer,
        registry: RegistryServicer,
        operations: OperationsServicer,
    ) -> None:
        """Let these answer from now on."""
        servicers: tuple[tuple[Any, Any], ...] = (
            (generation_service_pb2_grpc.add_GenerationServiceServicer_to_server, generation),
            (registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, registry),
            (operations_service_pb2_grpc.add_OperationsServiceServicer_to_server, operations),
        )
        for add, servicer in servicers:
            add(servicer, self._services)

    async def show(self) -> None:
        """Let health say what the server does now: SERVING exactly while new jobs are taken."""
        status = health_pb2.HealthCheckResponse
        found = status.SERVING if self._readiness.state.takes_jobs else status.NOT_SERVING
        try:
            # It waits for watchers who do not read.
            async with asyncio.timeout(_HEALTH_SECONDS_MAX):
                await asyncio.gather(*(self._health.set(name, found) for name in ("", *SERVICES)))
        except TimeoutError:
            log_problem("health.not_shown", state=self._readiness.state.value)

    async def stop(self, *, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end, then cut them off."""
        await self._server.stop(grace_seconds)
        self._door.close()


class _Services(grpc.GenericRpcHandler):
    """Tabard's services: their servicers, once there are any."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Take the methods of a servicer, as a gRPC server does."""
        self._handlers += handlers

    def add_registered_method_handlers(self, _service: str, _methods: Any) -> None:
        """Take nothing: they are those of `add_generic_rpc_handlers` once more."""

    def service(self, handler_call_details: Any) -> Any:
        """Return what handles a call; None for a method that nobody serves, or not yet."""
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((one for one in found if one is not None), None)


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
