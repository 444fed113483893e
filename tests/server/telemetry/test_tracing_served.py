# SPDX-License-Identifier: Apache-2.0
"""Traces of real requests at a real collector: the caller's own, in answer and file, no secrets."""

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabard_registry.identity.roles import Role
from tabard_server.settings import TelemetrySettings
from tests.server.harness import Request, Told, provenance_of, refs, refusal_of, serving
from tests.server.rpc.door.known_callers import OWN, PRIVATE, as_bearer, asking, token_for
from tests.server.telemetry.collector import Collector, collecting

CALLERS = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{CALLERS}-00f067aa0ba902b7-01"
SECRET = "a secret wish"


def walked(
    folder: Path, walk: Callable[[Any], Any], *, start: Callable[..., Any] = serving
) -> tuple[Any, Collector]:
    """Walk with a server that traces; return what came of it, and what the collector has."""

    async def run(endpoint: str) -> Any:
        telemetry = TelemetrySettings(otlp_endpoint=endpoint)
        async with start(folder, telemetry=telemetry) as server:
            return await walk(server)

    with collecting() as collector:
        return asyncio.run(run(collector.endpoint)), collector


async def generate(server: Any, *metadata: tuple[str, str], **fields: Any) -> Told:
    """Run one request with metadata."""
    told = Told()
    request = Request(prompt=SECRET, num_inference_steps=3, **fields)
    async for event in server.generation.Generate(request, metadata=metadata):
        told.events.append(event)
    return told


def image_of(span: Any) -> int | None:
    """Return which image a span is about."""
    return next((one.value.int_value for one in span.attributes if one.key == "tabard.image"), None)


def test_trace_of_a_caller_is_everywhere(tmp_path: Path) -> None:
    """In the spans, in the answer, in the file and beside it."""
    told, collector = walked(
        tmp_path, lambda server: generate(server, ("traceparent", PARENT), num_images=2)
    )

    assert told.accepted.trace_id == CALLERS
    assert provenance_of(told.images[0].content)["trace_id"] == CALLERS
    assert json.loads(told.images[0].provenance_json)["trace_id"] == CALLERS
    assert {span.trace_id.hex() for span in collector.spans} == {CALLERS}
    (root,) = (span for span in collector.spans if span.name == "generate")
    assert root.parent_span_id.hex() == "00f067aa0ba902b7"
    names = [span.name for span in collector.spans]
    assert {name: names.count(name) for name in names} == {
        **dict.fromkeys(("generate", "admission", "load"), 1),
        **dict.fromkeys(("queue", "steps", "decode", "encode"), 2),
    }
    for span in collector.spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano


def test_parts_of_an_image_follow_each_other(tmp_path: Path) -> None:
    """Each ends before the next begins, and none lasts until the job is over."""
    _told, collector = walked(tmp_path, lambda server: generate(server, num_images=2))

    (root,) = (span for span in collector.spans if span.name == "generate")
    for image in range(2):
        parts = {span.name: span for span in collector.spans if image_of(span) == image}
        order = [parts[name] for name in ("queue", "steps", "decode", "encode")]
        for one, following in itertools.pairwise(order):
            assert one.end_time_unix_nano <= following.start_time_unix_nano, one.name
        assert order[-1].end_time_unix_nano < root.end_time_unix_nano


def test_deterministic_files_stay_the_same(tmp_path: Path) -> None:
    """The trace is beside such a file, not in it."""

    async def walk(server: Any) -> list[Told]:
        return [await generate(server, deterministic=True, seed=7) for _ in range(2)]

    (one, other), _collector = walked(tmp_path, walk)

    assert one.accepted.trace_id != other.accepted.trace_id
    assert one.images[0].content == other.images[0].content
    assert "trace_id" in json.loads(one.images[0].provenance_json)


def test_off_says_nothing(tmp_path: Path) -> None:
    """No trace is kept, so none is named, whatever the caller has."""

    async def walk() -> Told:
        async with serving(tmp_path) as server:
            return await generate(server, ("traceparent", PARENT))

    told = asyncio.run(walk())

    assert told.accepted.trace_id == ""
    assert "trace_id" not in json.loads(told.images[0].provenance_json)


def test_secrets_are_in_no_span(tmp_path: Path) -> None:
    """Prompts, tokens and private names, of what was drawn and of what was refused."""
    secrets: list[str] = []

    async def walk(server: Any) -> None:
        roles = {OWN: (Role.GENERATE,), PRIVATE: (Role.GENERATE,)}
        secrets.append(token_for(server, "ann", **roles))
        bearer = as_bearer(secrets[0])
        both = refs(f"{OWN}/ink", f"{PRIVATE}/ink")
        await generate(server, *bearer, adapters=both, negative_prompt="hidden fears")
        await generate(server, *bearer, ("tracestate", "planted=wish"), ("traceparent", PARENT))
        for wrong in (
            Request(prompt=f"{SECRET}\0"),
            Request(prompt=SECRET, adapters=refs(f"{PRIVATE}/none")),
            Request(prompt=f"{SECRET} <lora:nobody/{SECRET}:1>"),
        ):
            await refusal_of(server.generation.Generate(wrong, metadata=bearer))

    _none, collector = walked(tmp_path, walk, start=asking)

    sent = b"".join(collector.received)
    assert sum(span.name == "generate" for span in collector.spans) == 5
    assert f"{OWN}/ink@1.1.0".encode() in sent
    assert b"private" in sent
    assert b"ann" in sent
    planted = ("secret", "wish", "fears", PRIVATE, secrets[0], secrets[0][-12:])
    assert [one for one in planted if one.encode() in sent] == []


def test_collector_that_is_gone_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Images come, the server stops within its bound, and the log says what became of the spans."""

    async def walk() -> Told:
        telemetry = TelemetrySettings(otlp_endpoint="http://127.0.0.1:1")
        async with serving(tmp_path, telemetry=telemetry, stop_seconds_max=2.0) as server:
            return await generate(server)

    told = asyncio.run(walk())

    assert len(told.images) == 1
    assert any(one.name.startswith("opentelemetry") for one in caplog.records)
