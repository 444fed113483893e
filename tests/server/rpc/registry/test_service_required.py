# SPDX-License-Identifier: Apache-2.0
"""What the API says of its fields is so: what is required is refused when it is left out."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api import field_behavior_pb2
from google.protobuf.message_factory import GetMessageClass

from tabard_server.rpc.server import SERVED
from tests.server.harness import read_refusal, serving

OURS = [method for service in SERVED if "tabard" in service.full_name for method in service.methods]
REQUIRED, OPTIONAL = field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL


def behaviours(field: Any) -> list[int]:
    """Return what the API says of a field."""
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def fields_of(message: Any) -> Iterator[Any]:
    """Yield every field that a caller may send, however deep it lies."""
    for field in message.fields:
        yield field
        inner = field.message_type
        if inner is not None and inner.full_name.startswith("tabard."):
            yield from fields_of(inner)


@pytest.mark.parametrize("method", OURS, ids=lambda one: one.name)
def test_every_field_says_what_it_is(method: Any) -> None:
    """Required or optional, but for the parts of a stream, of which there is one."""
    for field in fields_of(method.input_type):
        of_stream = field.containing_oneof is not None and field.containing_oneof.name == "part"
        expected = [[]] if of_stream else [[REQUIRED], [OPTIONAL]]
        assert behaviours(field) in expected, field.full_name


def test_what_is_required_is_refused_when_silent(tmp_path: Path) -> None:
    """An empty request is wrong exactly where something is required; nothing else minds silence."""
    unary = [one for one in OURS if not one.client_streaming and not one.server_streaming]

    async def walk() -> dict[str, bool]:
        found = {}
        async with serving(tmp_path) as server:
            for method in unary:
                request = GetMessageClass(method.input_type)
                call: Any = server.channel.unary_unary(
                    f"/{method.containing_service.full_name}/{method.name}",
                    request_serializer=request.SerializeToString,
                )
                found[method.name] = False
                try:
                    await call(request())
                except grpc.aio.AioRpcError as error:
                    refusal = read_refusal(error)
                    found[method.name] = refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        return found

    is_required = {
        one.name: any(REQUIRED in behaviours(field) for field in one.input_type.fields)
        for one in unary
    }
    assert len(unary) > 20
    assert asyncio.run(walk()) == is_required
