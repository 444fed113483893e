# SPDX-License-Identifier: Apache-2.0
"""Traces by OpenTelemetry, sent over OTLP: spans that are made when what they tell of is over.

In: names, times of a monotonic clock, a caller's `traceparent`. Out: spans to a collector, in a
thread of OpenTelemetry's. The one module that imports it, and imported only where traces are on.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_trace_id
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attribute = str | int | float | Sequence[str]

_NAME = "tabard"
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes traces. Any thread."""

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        version: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall_clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take where spans go, and the clock that their times are of."""
        said = Resource.create({"service.name": _NAME, "service.version": version})
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say has the last word.
        resource = said.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_NAME, version)
        self._clock = clock
        self._wall_clock_ns = wall_clock_ns

    def begin(self, name: str, *, at: float, traceparent: str = "") -> "Trace":
        """Begin a trace, or go on with that of a caller whose `traceparent` is one."""
        parent = _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())
        # One offset for the whole trace: its spans keep their order, whatever is done to the clock.
        offset_ns = self._wall_clock_ns() - int(self._clock() * 1e9)
        span = self._tracer.start_span(
            name, context=parent, kind=SpanKind.SERVER, start_time=int(at * 1e9) + offset_ns
        )

        def add(part: str, times: tuple[float, float], attributes: Mapping[str, Attribute]) -> None:
            begun_ns, ended_ns = (int(one * 1e9) + offset_ns for one in times)
            child = self._tracer.start_span(
                part,
                context=set_span_in_context(span, Context()),
                start_time=begun_ns,
                attributes=attributes,
            )
            child.end(max(begun_ns, ended_ns))

        return Trace(span, add=add, offset_ns=offset_ns)

    def close(self) -> None:
        """Send what is left. May wait for a collector that does not answer."""
        self._provider.shutdown()


class Trace:
    """The trace of one piece of work.

    Attributes:
        id: 32 hex digits.
    """

    def __init__(
        self,
        span: Span,
        *,
        add: Callable[[str, tuple[float, float], Mapping[str, Attribute]], None],
        offset_ns: int,
    ) -> None:
        self.id = format_trace_id(span.get_span_context().trace_id)
        self._span = span
        self._add = add
        self._offset_ns = offset_ns

    def add(self, part: str, *, begun_at: float, ended_at: float, **attributes: Attribute) -> None:
        """Tell of a part that is over."""
        self._add(part, (begun_at, ended_at), {f"tabard.{k}": v for k, v in attributes.items()})

    def end(self, *, at: float, reason: str = "", **attributes: Attribute) -> None:
        """End it: well, or for a reason."""
        self._span.set_attributes({f"tabard.{name}": one for name, one in attributes.items()})
        if reason:
            self._span.set_attribute("error.type", reason)
            self._span.set_status(Status(StatusCode.ERROR, reason))
        self._span.end(int(at * 1e9) + self._offset_ns)


def open_tracing(endpoint: str, *, version: str) -> Tracing:
    """Send traces to a collector at `http://host:port`, or `https://` with TLS.

    What a collector does not take is dropped: nobody waits for it.
    """
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)), version=version)
