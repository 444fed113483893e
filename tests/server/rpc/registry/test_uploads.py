# SPDX-License-Identifier: Apache-2.0
"""Files on their way in over real gRPC: what is out of order, and how many at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tests.server.harness import (
    iter_parts,
    lora_file,
    publish_parts,
    refusal_of,
    serving,
    small_limits,
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
        async with serving(tmp_path, limits=small_limits(uploads_max=1)) as server:
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


async def _complete(call: Any) -> Any:
    return await call
