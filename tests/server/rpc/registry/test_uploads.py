# SPDX-License-Identifier: Apache-2.0
"""Files on their way in over real gRPC: what is out of order, and how many at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tabard import AsyncClient
from tabard.v1 import registry_service_pb2 as pb
from tabard_server.callers.gate import Work
from tabard_server.limits import Limits
from tests.server.harness import (
    iter_parts,
    lora_file,
    publish_parts,
    refusal_of,
    serving,
    small_limits,
    until,
)


def test_broken_uploads_are_refused(tmp_path: Path) -> None:
    """Too many bytes, too few, no file, parts out of order: each is told."""
    content = lora_file()
    good = publish_parts("acme/ink", "1.0.0", content=content)
    chunk = pb.PublishRequest(chunk=content)
    cases = {
        "UPLOAD_TOO_LARGE": [
            good[0],
            pb.PublishRequest(file=pb.FileStart(name="a", bytes_total=10_000)),
        ],
        "UPLOAD_INCOMPLETE": good[:2],
        "UPLOAD_EMPTY": good[:1],
        "UPLOAD_BROKEN": [good[0], chunk],
    }

    async def walk() -> dict[str, str]:
        async with serving(tmp_path, limits=small_limits(upload_bytes_max=5_000)) as server:
            return {
                wanted: (await refusal_of(server.registry.Publish(iter_parts(parts)))).reason
                for wanted, parts in cases.items()
            }

    found = asyncio.run(walk())
    assert found == {wanted: wanted for wanted in cases}


def test_too_many_uploads_are_told_to_wait(tmp_path: Path) -> None:
    """The bound of concurrent uploads is named; when one ends, the next may begin."""
    content = lora_file()
    parts = publish_parts("acme/ink", "1.0.0", content=content)

    async def walk() -> None:
        limits = small_limits(uploads_max=1, uploads_queue_max=0)
        async with serving(tmp_path, limits=limits) as server:
            may_end = asyncio.Event()
            begun = asyncio.Event()

            async def slowly() -> AsyncIterator[Any]:
                yield parts[0]
                begun.set()
                await may_end.wait()
                for part in parts[1:]:
                    yield part

            slow = asyncio.ensure_future(_complete(server.registry.Publish(slowly())))
            await begun.wait()
            refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))
            may_end.set()
            await slow

        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.reason == "UPLOADS_BUSY"
        assert refusal.retry_seconds is not None

    asyncio.run(walk())


def test_uploads_wait_their_turn(tmp_path: Path) -> None:
    """Nobody is refused for a place that will come: what is sent waits, in its order."""

    async def walk() -> list[str]:
        async with serving(tmp_path, limits=Limits(uploads_max=1)) as server:
            published = await asyncio.gather(*(server.publish(f"acme/ink-{n}") for n in range(8)))
            return [one.release.adapter for one in published]

    assert asyncio.run(walk()) == [f"acme/ink-{n}" for n in range(8)]


def test_caller_who_leaves_is_out_of_line(tmp_path: Path) -> None:
    """At once, while it still waits: the next one has its turn."""
    draft = publish_parts("acme/ink", "1.0.0", content=b"")[:1]

    async def silent() -> AsyncIterator[Any]:
        yield draft[0]
        await asyncio.Event().wait()

    async def walk() -> None:
        async with serving(tmp_path, limits=small_limits(uploads_max=1)) as server:
            uploads = server.app.gate._work[Work.UPLOAD]
            first = server.registry.Publish(silent())
            await until(lambda: uploads.held == 1)
            second = server.registry.Publish(silent())
            await until(lambda: uploads.waiting == 1)
            second.cancel()
            await until(lambda: uploads.waiting == 0)
            first.cancel()
            await server.publish("acme/pen")

    asyncio.run(walk())


def test_eight_publishers_through_two_servers(tmp_path: Path) -> None:
    """All get in, those for whom the line was too long too: the SDK comes back as it is asked."""
    limits = Limits(uploads_max=1, uploads_queue_max=1, retry_seconds=0.05)
    waits: list[str] = []
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for file in files:
        file.write_bytes(lora_file(seed_text=file.stem))

    async def publish(file: Path, address: str) -> bool:
        async with AsyncClient(address, on_wait=lambda _s, why: waits.append(why.reason)) as client:
            name = f"acme/ink-{file.stem}"
            return (await client.publish(name, file, version="1.0.0")).created

    async def walk() -> tuple[list[bool], int]:
        async with serving(tmp_path, limits=limits) as one, serving(tmp_path, limits=limits) as two:
            addresses = [one.address, two.address] * 4
            created = await asyncio.gather(*map(publish, files, addresses))
            await asyncio.to_thread(one.app.registry.refresh)
            return created, len(one.app.registry.state.adapters_after())

    assert asyncio.run(walk()) == ([True] * 8, 8)
    assert set(waits) == {"UPLOADS_BUSY"}


async def _complete(call: Any) -> Any:
    return await call
