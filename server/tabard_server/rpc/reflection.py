# SPDX-License-Identifier: Apache-2.0
"""Reflection: what the server offers, told to tools like grpcurl, by the protocol's v1.

The library has the protocol's v1alpha, whose messages v1 took over as they are; v1 is made of its
descriptor under the other name, and both are answered by the library's servicer.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

_V1ALPHA = "grpc.reflection.v1alpha"
_V1 = "grpc.reflection.v1"
_SERVICE = "ServerReflection"
_METHOD = "ServerReflectionInfo"


def _v1() -> Any:
    """Return the descriptor of the service as v1 calls it; made once, as stubs make theirs."""
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", _V1
    for field in (field for message in file.message_type for field in message.field):
        if field.type_name:
            field.type_name = _renamed(field.type_name)
    for method in (method for service in file.service for method in service.method):
        method.input_type = _renamed(method.input_type)
        method.output_type = _renamed(method.output_type)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{_V1}.{_SERVICE}")


def _renamed(type_name: str) -> str:
    return type_name.replace(f".{_V1ALPHA}.", f".{_V1}.")


V1 = _v1()
V1ALPHA = reflection_pb2.DESCRIPTOR.services_by_name[_SERVICE]
REFLECTION = (V1, V1ALPHA)
"""Descriptors of the service: what tools ask for now, and what some still ask for."""


def serve_reflection(server: Any, *, services: Sequence[str]) -> None:
    """Tell of services, and of itself, by both names."""
    names = (*services, *(one.full_name for one in REFLECTION))
    reflection.enable_server_reflection(names, server)
    answer = reflection.aio.ReflectionServicer(names).ServerReflectionInfo

    async def inform(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for told in answer(_taken_over(requests), context):
            yield told

    handlers: dict[str, Any] = {_METHOD: grpc.stream_stream_rpc_method_handler(inform)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(V1.full_name, handlers),))


async def _taken_over(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield requests of v1 as the library knows them: the bytes are the same."""
    async for request in requests:
        yield reflection_pb2.ServerReflectionRequest.FromString(request.SerializeToString())
