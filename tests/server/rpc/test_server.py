# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: what it tells tools of its services."""

import asyncio
from pathlib import Path
from typing import Any

from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.server.harness import serving


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
