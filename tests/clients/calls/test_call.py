# SPDX-License-Identifier: Apache-2.0
"""A call finds its RPC by its request: every RPC of the API, and the right one."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tabard.calls.call import Call
from tabard.calls.uploads import Upload
from tabard.v1 import generation_service_pb2, operations_service_pb2, registry_service_pb2

RPCS = [
    rpc
    for module in (generation_service_pb2, operations_service_pb2, registry_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
]


def test_no_two_rpcs_take_one_request() -> None:
    """Else a request would not say which RPC it is."""
    assert len({rpc.input_type.full_name for rpc in RPCS}) == len(RPCS)


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: str(rpc.name))
def test_request_says_its_rpc(rpc: Any) -> None:
    """Path, and how both messages are written and read; for calls and uploads alike."""
    request: type[Message] = GetMessageClass(rpc.input_type)
    answer = GetMessageClass(rpc.output_type)()

    call = Call(request=request(), read=lambda response: response)
    upload = Upload(requests=lambda: iter(()), request_type=request, read=lambda response: response)

    channel = SimpleNamespace(unary_unary=lambda *rpc: rpc, stream_unary=lambda *rpc: rpc)
    sendings: list[Call[Any] | Upload[Any]] = [call, upload]
    for one in sendings:
        (path, write, read), _ = one.on(channel)
        assert path == f"/tabard.v1.{rpc.containing_service.name}/{rpc.name}"
        assert write(request()) == b""
        assert read(b"") == answer
        assert type(read(b"")) is type(answer)


def test_call_knows_everything_at_first() -> None:
    """A call passes messages over only when it is told which."""
    call = Call(request=operations_service_pb2.GetStatusRequest(), read=lambda response: response)

    assert call.knows(operations_service_pb2.GetStatusResponse())
