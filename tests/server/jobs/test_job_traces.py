# SPDX-License-Identifier: Apache-2.0
"""The trace of a job: all its parts, whose it was, and nothing that is nobody else's business."""

import subprocess
import sys
from typing import Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.errors import JobCancelled, Overloaded
from tabard_server.jobs.job import ImageReady, JobSpec, Worn
from tabard_server.jobs.job_traces import JobTraces
from tabard_server.telemetry.tracing import Tracing
from tests.server.jobs.small_jobs import Counter, Running, running
from tests.server.releases import release

ANN = Identity(name="ann", tenant="studio", grants=EVERYTHING, proof=Proof.TOKEN)
SPEC = JobSpec(wanted=WantedDrawing(prompt="a secret wish"), identity=ANN)
WORN = Worn(ref="acme/ink", release=release("acme/ink"), weight=1.0)


def ended(one: Running, *, hides: bool = False, outcome: str = "done") -> list[Any]:
    """Return the spans of a job that is over."""
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter), clock=lambda: one.now)
    traces = JobTraces(tracing, is_hidden=lambda _name: hides)
    trace = traces.begin(SPEC, asked_at=99.0)
    assert trace is not None
    trace.end(one.run, outcome=outcome)
    assert {f"{span.context.trace_id:032x}" for span in exporter.get_finished_spans()} == {trace.id}
    return list(exporter.get_finished_spans())


def drawn() -> Running:
    """Return a job of two images that was drawn."""
    one = running(images=2, worn=(WORN,))
    one.run.hold(Counter().lease(WORN.digest, rows=2))
    for index in range(2):
        for moment in ("opened", "stepped", "decoding", "decoded", "encoded"):
            one.now += 1.0
            one.run.times.note(moment, index=index)  # type: ignore[arg-type]
        one.run.deliver(ImageReady(index=index, content=b"", seed=0, provenance_json=""))
    return one


def test_job_has_all_its_parts() -> None:
    """Of each image its own."""
    spans = ended(drawn())

    names = [span.name for span in spans]
    own = ["queue", "steps", "decode", "encode"]
    assert names == ["admission", "load", *own, *own, "generate"]
    assert [span.attributes.get("tabard.image") for span in spans[2:-1]] == [0] * 4 + [1] * 4


def test_job_says_whose_it_was() -> None:
    """And what it wore."""
    said = ended(drawn())[-1].attributes

    assert (said["tabard.identity"], said["tabard.tenant"]) == ("ann", "studio")
    assert said["tabard.adapters"] == ("acme/ink@1.0.0",)
    assert said["tabard.outcome"] == "done"


def test_private_names_are_private() -> None:
    """As in metrics."""
    said = ended(drawn(), hides=True)[-1].attributes

    assert said["tabard.adapters"] == ("private",)
    assert "ink" not in str(dict(said))


def test_failed_job_has_its_reason() -> None:
    """Its message may hold words of the caller, and stays out."""
    one = running()
    one.run.fail(JobCancelled("a secret wish"))

    spans = ended(one, outcome="cancelled")

    assert spans[-1].attributes["error.type"] == JobCancelled("").reason
    assert not any("secret" in span.to_json() for span in spans)


def test_refusal_is_traced() -> None:
    """It has an admission, and no more."""
    exporter = InMemorySpanExporter()
    traces = JobTraces(Tracing(SimpleSpanProcessor(exporter)))
    trace = traces.begin(SPEC, asked_at=99.0)
    assert trace is not None

    trace.refuse(Overloaded("full", reason="QUEUE_FULL"), at=99.5)

    admission, whole = exporter.get_finished_spans()
    assert (admission.name, whole.name) == ("admission", "generate")
    assert (whole.attributes or {})["error.type"] == "QUEUE_FULL"


def test_off_is_nothing() -> None:
    """No trace, and nothing to close."""
    traces = JobTraces(None)

    assert not traces.is_on
    assert traces.begin(SPEC, asked_at=1.0) is None
    traces.close()


def test_off_imports_nothing() -> None:
    """Who does not trace needs no OpenTelemetry, and does not wait for it."""
    program = (
        "import sys, tabard_server.serving, tabard_server.__main__;"
        "sys.exit(any(name.partition('.')[0] == 'opentelemetry' for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
