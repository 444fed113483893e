# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: what it tells tools of its services."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.server.harness import Request, refusal_of, serving, small_limits


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
