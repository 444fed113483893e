# SPDX-License-Identifier: Apache-2.0
"""Nobody waits for ever for a caller: for its next message, or until it takes one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry.export.export import ExportedFile
from tabard_registry.refs.digest import sha256_file
from tabard_server.callers.caller import NOBODY
from tabard_server.callers.gate import Work
from tabard_server.limits import Limits
from tabard_server.publishing import downloads
from tabard_server.rpc.door.exchange import Exchange
from tabard_server.threads import Threads
from tests.server.harness import Refusal, publish_parts, refusal_of, serving, until

LIMITS = Limits()


async def silent(*first: Any) -> AsyncIterator[Any]:
    """Begin an upload, and send nothing more."""
    for part in first:
        yield part
    await asyncio.Event().wait()


def test_silent_upload_ends_in_words(tmp_path: Path) -> None:
    """After the idle bound it is over, typed, and its place is free."""
    draft = publish_parts("acme/pen", "1.0.0", content=b"")[:1]

    async def walk() -> Refusal:
        limits = Limits(uploads_max=1, stream_idle_seconds_max=0.2)
        async with serving(tmp_path, limits=limits) as server:
            refusal = await refusal_of(server.registry.Publish(silent(*draft)))
            await server.publish("acme/pencil")
            return refusal

    refusal = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "CALLER_IDLE",
    )
    assert "stream_idle_seconds_max" in refusal.hint


def test_silent_upload_yields_to_those_who_wait(tmp_path: Path) -> None:
    """It may be silent for long, but not once its place is wanted, whoever came first."""
    draft = publish_parts("acme/pen", "1.0.0", content=b"")[:1]
    limits = Limits(
        uploads_max=1,
        stream_idle_seconds_max=600.0,
        queue_seconds_max=600.0,
        upload_chunk_bytes_max=65_536,
        stream_bytes_per_second_min=655_360.0,
    )

    async def walk() -> list[Refusal]:
        async with serving(tmp_path, limits=limits) as server:
            places = server.app.gate._work[Work.UPLOAD]
            early = asyncio.ensure_future(refusal_of(server.registry.Publish(silent(*draft))))
            await until(lambda: places.held == 1)
            await asyncio.sleep(0.3)
            assert not early.done()
            late = asyncio.ensure_future(refusal_of(server.registry.Publish(silent(*draft))))
            await server.publish("acme/pencil")
            return [await early, await late]

    for refusal in asyncio.run(walk()):
        assert refusal.reason == "CALLER_IDLE"
        assert "while others wait" in refusal.hint


def test_trickling_upload_ends_in_words(tmp_path: Path) -> None:
    """Small chunks, each just in time, are slower than an upload may be."""
    start = publish_parts("acme/pen", "1.0.0", content=b"x" * 10_000_000)[:2]

    async def trickle() -> AsyncIterator[Any]:
        for part in start:
            yield part
        while True:
            yield pb.PublishRequest(chunk=b"x" * 2_000)
            await asyncio.sleep(0.05)

    async def walk() -> Refusal:
        limits = Limits(stream_idle_seconds_max=0.5, stream_bytes_per_second_min=1_000_000.0)
        async with serving(tmp_path, limits=limits) as server:
            return await refusal_of(server.registry.Publish(trickle()))

    assert asyncio.run(walk()).reason == "CALLER_IDLE"


def test_reader_that_does_not_read_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download nobody takes gives back its place and its files; the call waits to say so."""
    path = tmp_path / "large"
    path.write_bytes(b"x" * (24 << 20))
    large = ExportedFile(
        name="large", path=path, size_bytes=path.stat().st_size, digest=sha256_file(path)
    )

    async def walk() -> tuple[Refusal, bool]:
        limits = Limits(fetches_max=1, stream_idle_seconds_max=0.3)
        async with serving(tmp_path, limits=limits) as server:
            await server.publish("acme/ink")
            monkeypatch.setattr(downloads, "export_release", lambda *_, **__: [large])
            slow = server.registry.Fetch(pb.FetchRequest(ref="acme/ink@1.0.0"))
            reading = aiter(slow)
            await anext(reading)
            await until(lambda: server.app.gate._work[Work.DOWNLOAD].held == 0)
            assert server.app.gate._calls.held == 1
            monkeypatch.undo()
            other = server.registry.Fetch(pb.FetchRequest(ref="acme/ink@1.0.0"))
            whole = [part async for part in other]
            return await refusal_of(slow), bool(whole)

    refusal, is_served = asyncio.run(walk())

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "READER_IDLE")
    assert is_served


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ((), ""),
        ((("a-key", "one"), ("other", "x")), "one"),
        ((("a-key", "one"), ("a-key", "two")), ""),
        ((("a-key", b"one"),), ""),
    ],
)
def test_metadata_says_one_thing(metadata: tuple[Any, ...], said: str) -> None:
    """Of two, nobody can say which is meant; bytes are no text."""
    context: Any = SimpleNamespace(invocation_metadata=lambda: metadata)
    exchange = Exchange(context, caller=NOBODY, threads=Threads("t", threads_max=1), limits=LIMITS)

    assert exchange.said("a-key") == said
