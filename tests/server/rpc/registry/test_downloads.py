# SPDX-License-Identifier: Apache-2.0
"""Files of a release over real gRPC: the bytes that were published, and what they are made into."""

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import registry_service_pb2 as pb
from tests.server.harness import (
    PATIENCE_SECONDS,
    Refusal,
    Server,
    lora_file,
    refusal_of,
    serving,
    small_limits,
)


async def fetch(server: Server, ref: str, file_format: "pb.FileFormat") -> dict[str, bytes]:
    """Return what comes, by name; every file has the digest that it was announced with."""
    found: dict[str, bytes] = {}
    starts: list[Any] = []
    call = server.registry.Fetch(pb.FetchRequest(ref=ref, format=file_format))
    async for part in call:
        kind = part.WhichOneof("part")
        if kind == "release":
            assert (found, part.release.adapter) == ({}, "acme/ink")
        elif kind == "file":
            starts.append(part.file)
            found[part.file.name] = b""
        else:
            assert len(part.chunk) <= 1 << 20
            found[starts[-1].name] += part.chunk
    for start in starts:
        body = found[start.name]
        assert (len(body), start.digest) == (
            start.bytes_total,
            f"sha256:{hashlib.sha256(body).hexdigest()}",
        )
    return found


def test_every_format_comes(tmp_path: Path) -> None:
    """The original is byte for byte what was sent; the others are files of their own."""
    content = lora_file(rank=4)

    async def walk() -> dict[str, dict[str, bytes]]:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink", content=content)
            await server.quarantine("acme/ink@1.0.0")
            return {
                name: await fetch(server, "acme/ink@1.0.0", number)
                for name, number in pb.FileFormat.items()
            }

    found = asyncio.run(walk())
    for name in ("FILE_FORMAT_UNSPECIFIED", "FILE_FORMAT_ORIGINAL"):
        assert list(found[name].values()) == [content]
    assert [list(files) for files in (found["FILE_FORMAT_KOHYA"], found["FILE_FORMAT_DIFFUSERS"])]
    assert b"lora_down.weight" in found["FILE_FORMAT_KOHYA"]["ink-1.0.0.kohya.safetensors"]
    assert b"lora_A.weight" in found["FILE_FORMAT_DIFFUSERS"]["ink-1.0.0.diffusers.safetensors"]
    assert b"tabard-canonical" in found["FILE_FORMAT_CANONICAL"]["ink-1.0.0.canonical.safetensors"]


@pytest.mark.parametrize(
    ("ref", "file_format", "code", "reason"),
    [
        ("acme/none@1.0.0", 0, grpc.StatusCode.NOT_FOUND, "ADAPTER_NOT_FOUND"),
        ("acme/ink@1.0.0", 99, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
        ("acme/mix@1.0.0", 3, grpc.StatusCode.FAILED_PRECONDITION, "FORMAT_CANNOT_HOLD"),
        ("acme", 0, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_NAME"),
    ],
)
def test_impossible_fetch_is_refused(
    ref: str, file_format: int, code: grpc.StatusCode, reason: str, tmp_path: Path
) -> None:
    """What is not there, no format, and what has no files are told apart."""

    async def walk() -> Refusal:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink", content=lora_file())
            await server.publish_recipe("acme/mix", "acme/ink@1.0.0:0.5")
            request = pb.FetchRequest(ref=ref, format=file_format)  # type: ignore[arg-type]
            return await refusal_of(anext(aiter(server.registry.Fetch(request))))

    refusal = asyncio.run(walk())
    assert (refusal.code, refusal.reason) == (code, reason)


def test_downloads_are_bounded(tmp_path: Path) -> None:
    """One reader that does not read does not hold up the next one's refusal."""

    async def walk() -> Refusal:
        limits = small_limits(fetches_max=1, fetches_queue_max=0)
        async with serving(tmp_path, limits=limits) as server:
            await server.publish("acme/ink", content=lora_file())
            started, may_end = asyncio.Event(), threading.Event()
            server.app.registry.manifest = _late(started, may_end)  # type: ignore[method-assign]
            slow = server.registry.Fetch(pb.FetchRequest(ref="acme/ink@1.0.0"))
            await started.wait()
            request = pb.FetchRequest(ref="acme/ink@1.0.0")
            refusal = await refusal_of(anext(aiter(server.registry.Fetch(request))))
            slow.cancel()
            may_end.set()
            return refusal

    refusal = asyncio.run(walk())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "FETCHES_BUSY")


def _late(started: asyncio.Event, may_end: threading.Event) -> Any:
    """Stand for a store that answers when it may."""
    loop = asyncio.get_running_loop()

    def manifest(_digest: object) -> None:
        loop.call_soon_threadsafe(started.set)
        assert may_end.wait(PATIENCE_SECONDS)
        raise KeyError("late")

    return manifest
