# SPDX-License-Identifier: Apache-2.0
"""Reflection: tools find every service without a proto, by v1 and by v1alpha."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from tabard_server.rpc.reflection import REFLECTION
from tests.server.harness import serving


@pytest.mark.parametrize("service", REFLECTION, ids=lambda one: one.full_name)
def test_tools_find_every_service(service: Any, tmp_path: Path) -> None:
    """Names, and the file of a method with its comments' neighbours: enums and annotations."""
    method = service.methods[0]
    request = GetMessageClass(method.input_type)
    answer = GetMessageClass(method.output_type)

    async def walk() -> tuple[set[str], set[str]]:
        async with serving(tmp_path) as server:
            call: Any = server.channel.stream_stream(
                f"/{service.full_name}/{method.name}",
                request_serializer=request.SerializeToString,
                response_deserializer=answer.FromString,
            )()
            await call.write(request(list_services=""))
            listed = await call.read()
            await call.write(request(file_containing_symbol="tabard.v1.GenerationService"))
            described = await call.read()
            await call.done_writing()
            files = described.file_descriptor_response.file_descriptor_proto
            return (
                {one.name for one in listed.list_services_response.service},
                {FileDescriptorProto.FromString(one).name for one in files},
            )

    services, files = asyncio.run(walk())
    assert services >= {
        "tabard.v1.GenerationService",
        "tabard.v1.RegistryService",
        "tabard.v1.OperationsService",
        "grpc.health.v1.Health",
        *(one.full_name for one in REFLECTION),
    }
    assert files >= {"tabard/v1/generation_service.proto", "google/api/field_behavior.proto"}
