# SPDX-License-Identifier: Apache-2.0
"""Spans from times that were measured before: their parents, their order, their way out."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tabard_server.telemetry.tracing import Tracing, open_tracing
from tests.server.telemetry.collector import collecting

CALLERS = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{CALLERS}-00f067aa0ba902b7-01"


def traced(traceparent: str = "", *, reason: str = "") -> list[ReadableSpan]:
    """Trace one thing of one part; the clock stands at 100 s, which is second 1,000 of the era."""
    exporter = InMemorySpanExporter()
    tracing = Tracing(
        SimpleSpanProcessor(exporter), clock=lambda: 100.0, wall_clock_ns=lambda: 1_000 * 10**9
    )
    trace = tracing.begin("generate", at=99.0, traceparent=traceparent)
    trace.add("steps", begun_at=99.5, ended_at=99.75, image=1)
    trace.end(at=101.0, reason=reason, outcome="done")
    tracing.close()
    return list(exporter.get_finished_spans())


def test_times_are_those_of_the_wall() -> None:
    """Whatever the clock counts from."""
    part, whole = traced()

    assert (whole.start_time, whole.end_time) == (999 * 10**9, 1_001 * 10**9)
    assert (part.start_time, part.end_time) == (999_500 * 10**6, 999_750 * 10**6)
    assert part.parent is not None
    assert whole.context is not None
    assert part.parent.span_id == whole.context.span_id
    assert whole.parent is None


def test_attributes_have_names_of_their_own() -> None:
    """So that nothing of ours is taken for what others agreed on."""
    part, whole = traced()

    assert dict(part.attributes or {}) == {"tabard.image": 1}
    assert dict(whole.attributes or {}) == {"tabard.outcome": "done"}
    assert whole.status.status_code is StatusCode.UNSET


def test_bad_end_has_its_reason() -> None:
    """The stable code, and no message."""
    whole = traced(reason="QUEUE_FULL")[-1]

    assert (whole.attributes or {})["error.type"] == "QUEUE_FULL"
    assert whole.status.status_code is StatusCode.ERROR
    assert whole.status.description == "QUEUE_FULL"


def test_callers_trace_goes_on() -> None:
    """Its span is the parent."""
    whole = traced(PARENT)[-1]

    assert whole.context is not None
    assert whole.parent is not None
    assert f"{whole.context.trace_id:032x}" == CALLERS
    assert f"{whole.parent.span_id:016x}" == "00f067aa0ba902b7"


def test_unsampled_trace_is_not_sent() -> None:
    """A caller that does not keep its trace wants no part of it kept."""
    assert traced(f"{PARENT[:-2]}00") == []


@pytest.mark.parametrize(
    "text",
    ["x", "00-0-0-01", f"ff{PARENT[2:]}", f"00-{32 * '0'}-00f067aa0ba902b7-01", 9_000 * "0"],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    """A trace of its own, and no failure."""
    whole = traced(text)[-1]

    assert whole.parent is None
    assert whole.context is not None
    assert f"{whole.context.trace_id:032x}" != CALLERS


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over OTLP, under the name that OpenTelemetry's own variable says."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "studio")
    with collecting() as collector:
        tracing = open_tracing(collector.endpoint, version="1.2.3")
        tracing.begin("generate", at=1.0).end(at=2.0)
        tracing.close()

        assert [span.name for span in collector.spans] == ["generate"]
        said = {one.key: one.value.string_value for one in collector.resources[0].attributes}
    assert (said["service.name"], said["service.version"]) == ("studio", "1.2.3")


def test_service_is_called_tabard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody says otherwise."""
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)

    assert traced()[0].resource.attributes["service.name"] == "tabard"
