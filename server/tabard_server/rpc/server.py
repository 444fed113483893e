# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: services, health, reflection, message bounds, the port.

In: servicers. Out: a running server with a known address. Knows nothing of what they serve.
"""

from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tabard.v1 import (
    generation_service_pb2,
    generation_service_pb2_grpc,
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from tabard_server.errors import BadSettings
from tabard_server.limits import Limits
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


class RpcServer:
    """One gRPC server. Asyncio thread."""

    def __init__(
        self,
        *,
        generation: GenerationServicer,
        registry: RegistryServicer,
        operations: OperationsServicer,
        limits: Limits,
    ) -> None:
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", limits.message_bytes_max),
                ("grpc.max_send_message_length", limits.message_bytes_max),
                ("grpc.so_reuseport", 0),
            ),
            maximum_concurrent_rpcs=limits.calls_max,
        )
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

    async def _set_health(self, status: int) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)
