# SPDX-License-Identifier: Apache-2.0
"""A small collector: takes what is exported over OTLP on loopback, and keeps the bytes."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass(kw_only=True)
class Collector:
    """What came, as it came.

    Attributes:
        endpoint: Where it listens.
        received: The bytes of each export.
    """

    endpoint: str = ""
    received: list[bytes] = field(default_factory=list)

    @property
    def messages(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(one) for one in self.received]

    @property
    def spans(self) -> list[Span]:
        """Every span, in the order they came."""
        return [
            span
            for message in self.messages
            for group in message.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    @property
    def resources(self) -> list[Resource]:
        return [group.resource for message in self.messages for group in message.resource_spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector for the length of a block."""
    found = Collector()

    def export(data: bytes, _context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        found.received.append(data)
        return ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    handler = grpc.unary_unary_rpc_method_handler(
        export, response_serializer=ExportTraceServiceResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),)
    )
    found.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield found
    finally:
        server.stop(grace=None).wait()
