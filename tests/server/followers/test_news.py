# SPDX-License-Identifier: Apache-2.0
"""Several servers of a registry: what was published at one is there when another is asked."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import registry_service_pb2
from tests.registry.fakes import MemoryStore
from tests.server.harness import Request, Server, refs, refusal_of, serving

NEVER = 3600.0


def beside(folder: Path, store: MemoryStore, **changes: Any) -> Any:
    """Run one of several servers, which hears of what others do only if it asks."""
    return serving(folder, store=store, **{"poll_seconds": NEVER, **changes})


async def drawn(server: Server, request: Any) -> int:
    """Return how many images came."""
    events = [event async for event in server.generation.Generate(request)]
    return sum(event.HasField("image") for event in events)


@pytest.mark.parametrize(
    "asked",
    [
        {"adapters": refs("acme/ink@1.0.0")},
        {"adapters": refs("acme/ink")},
        {"prompt": "a cat <lora:acme/ink:0.5>"},
    ],
)
def test_job_wears_what_was_just_published(tmp_path: Path, asked: dict[str, Any]) -> None:
    """By its version, its channel, or a tag of the prompt."""

    async def walk() -> None:
        store = MemoryStore()
        async with (
            beside(tmp_path / "one", store) as one,
            beside(tmp_path / "other", store) as other,
        ):
            await one.publish("acme/ink", "1.0.0")
            await one.promote("acme/ink@1.0.0")

            assert await drawn(other, Request(**{"prompt": "x", **asked})) == 1

    asyncio.run(walk())


def test_questions_find_what_was_just_published(tmp_path: Path) -> None:
    """Of what a ref means, of a line, and of its history."""

    async def walk() -> None:
        store = MemoryStore()
        ask = registry_service_pb2
        async with (
            beside(tmp_path / "one", store) as one,
            beside(tmp_path / "other", store) as other,
        ):
            await one.publish("acme/ink", "1.0.0")

            found = await other.registry.Resolve(ask.ResolveRequest(ref="acme/ink@1.0.0"))
            await one.publish("acme/wash", "1.0.0")
            line = await other.registry.GetAdapter(ask.GetAdapterRequest(adapter="acme/wash"))

            assert found.release.version == "1.0.0"
            assert line.adapter.name == "acme/wash"

    asyncio.run(walk())


def test_misses_share_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong names that come at once cost a look at the store or two, and none while it is out."""

    async def walk() -> None:
        async with beside(tmp_path, MemoryStore()) as server:
            polls: list[int] = []
            refresh = server.app.registry.refresh

            def look() -> Any:
                polls.append(1)
                return refresh()

            monkeypatch.setattr(server.app.registry, "refresh", look)
            wrong = registry_service_pb2.ResolveRequest(ref="acme/none@1.0.0")

            refusals = await asyncio.gather(
                *(refusal_of(server.registry.Resolve(wrong)) for _ in range(8))
            )
            looked = len(polls)
            follower = server.app._follower
            follower._answered_at -= 4 * NEVER
            late = await refusal_of(server.registry.Resolve(wrong))

            assert {one.code for one in (*refusals, late)} == {grpc.StatusCode.NOT_FOUND}
            assert 1 <= looked <= 3
            assert len(polls) == looked

    asyncio.run(walk())
