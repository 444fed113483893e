# SPDX-License-Identifier: Apache-2.0
"""Tabard's services as Ray takes them: every method by its name, messages as bytes.

In: a servicer and a gRPC server of Ray's. Out: handlers on it. Messages are read by the server that
answers, once, and by nobody on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from tabard.v1 import (
    canary_service_pb2,
    evaluation_service_pb2,
    evidence_service_pb2,
    generation_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    review_service_pb2,
)

_FILES = (
    canary_service_pb2,
    evaluation_service_pb2,
    evidence_service_pb2,
    generation_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    review_service_pb2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method.

    Attributes:
        service: Full name of its service.
        name: Its own; no two services have one of the same, for Ray knows methods by it alone.
        streams_requests: Whether there are many.
        streams_answers: Whether there are many.
    """

    service: str
    name: str
    streams_requests: bool
    streams_answers: bool

    @property
    def path(self) -> str:
        """As gRPC calls it."""
        return f"/{self.service}/{self.name}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A message on its way: Ray asks a message for its bytes."""

    data: bytes = b""

    def SerializeToString(self) -> bytes:
        """Return the bytes."""
        return self.data


def methods() -> Iterator[Method]:
    """Yield every method of Tabard; health and reflection are Ray's own."""
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield Method(
                    service=service.full_name,
                    name=method.name,
                    streams_requests=method.client_streaming,
                    streams_answers=method.server_streaming,
                )


def add_to_server(servicer: Any, server: Any) -> None:
    """Add every method to a server; Ray calls this in each replica."""
    handlers: dict[str, dict[str, grpc.RpcMethodHandler]] = {}
    for method in methods():
        make = _MAKERS[method.streams_requests, method.streams_answers]
        handlers.setdefault(method.service, {})[method.name] = make(getattr(servicer, method.name))
    for service, by_name in handlers.items():
        handler = grpc.method_handlers_generic_handler(service, by_name)
        server.add_generic_rpc_handlers((handler,))


_MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
