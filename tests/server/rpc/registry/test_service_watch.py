# SPDX-License-Identifier: Apache-2.0
"""Records streamed over real gRPC, from any position, whoever wrote them."""

import asyncio
from pathlib import Path

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterRef, Author, Registry
from tests.server.harness import (
    serving,
    until,
)


def test_watch_resumes_from_position(tmp_path: Path) -> None:
    """A watch sends what was there from its position on, then what happens."""

    async def walk() -> list[int]:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            seen = [(await call.read()).record.seq]
            await server.publish("acme/pen")
            seen.append((await call.read()).record.seq)
            call.cancel()
            return seen

    assert asyncio.run(walk()) == [2, 3]


def test_other_process_is_followed(tmp_path: Path) -> None:
    """What another process promotes is served after a poll, and watchers hear of it."""

    async def walk() -> str:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            other = Registry.open((tmp_path / "registry").as_uri())
            other.promote(
                AdapterRef.parse("acme/ink@1.0.0"), channel="stable", author=Author(actor="else")
            )
            record = (await call.read()).record
            call.cancel()
            told = await server.generate("x", adapters=["acme/ink"])
            digest = told.accepted.worn[0].digest
            await until(lambda: digest in server.app.cache._memory._favoured)
            return str(record.actor)

    assert asyncio.run(walk()) == "else"
