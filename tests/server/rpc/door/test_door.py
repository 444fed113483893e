# SPDX-License-Identifier: Apache-2.0
"""The door: whatever comes as a message, every method answers in plain words."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard_server.rpc.door.methods import METHODS
from tests.server.harness import Refusal, Server, refusal_of, serving, small_limits

PATHS = sorted(METHODS)
TRUNCATED = b"\x0a\x7fshort"


async def send(server: Server, path: str, *messages: bytes) -> Refusal:
    """Call a method with raw bytes, and return how it fails."""
    call: Any = server.channel.stream_stream(path)()
    # It may be refused before it has written all, and gRPC says so where the next is written.
    with suppress(grpc.aio.AioRpcError):
        for message in messages:
            await call.write(message)
        await call.done_writing()
    return await refusal_of(call)


def test_garbage_is_refused_by_every_method(tmp_path: Path) -> None:
    """Typed, without the name of a class, and counted like any other failure."""

    async def walk() -> tuple[dict[str, Refusal], float]:
        async with serving(tmp_path) as server:
            found = {path: await send(server, path, TRUNCATED) for path in PATHS}
            counted = server.app.metrics.failures.labels(reason="MALFORMED_MESSAGE")
            return found, counted._value.get()

    found, counted = asyncio.run(walk())

    assert {(one.code, one.reason) for one in found.values()} == {
        (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    }
    assert not [one for one in found.values() if "Error" in one.message]
    assert all(one.hint for one in found.values())
    assert counted == len(PATHS)


def test_no_message_is_refused_by_every_method(tmp_path: Path) -> None:
    """A call that ends without one; a stream may be empty, and says what it lacks itself."""

    async def walk() -> dict[str, str]:
        async with serving(tmp_path) as server:
            takes_one = [
                p
                for p in PATHS
                if not p.endswith(("Publish", "PublishReferences", "Check", "Info"))
            ]
            return {path: (await send(server, path)).reason for path in takes_one}

    assert set(asyncio.run(walk()).values()) == {"MALFORMED_MESSAGE"}


def test_unknown_method_is_unimplemented(tmp_path: Path) -> None:
    """Of a service that is here or is not, whatever is sent: typed like any other refusal."""
    paths = ("/tabard.v1.RegistryService/Nothing", "/other.Service/Do", "/")

    async def walk() -> list[Refusal]:
        async with serving(tmp_path) as server:
            return [await send(server, path, TRUNCATED) for path in paths]

    for path, refusal in zip(paths, asyncio.run(walk()), strict=True):
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.UNIMPLEMENTED,
            "METHOD_UNKNOWN",
        )
        assert path in refusal.message
        assert refusal.hint


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("/tabard.v1.GenerationService/Generate", "limits.calls_max"),
        ("/tabard.v1.RegistryService/Yank", "limits.operator_calls_reserved"),
    ],
)
def test_call_without_message_is_counted(path: str, setting: str, tmp_path: Path) -> None:
    """Who opens calls and sends nothing is bounded as well, and refused in words."""

    async def walk() -> Refusal:
        limits = small_limits(calls_max=12, operator_calls_reserved=4)
        async with serving(tmp_path, limits=limits) as server:
            rpc = server.channel.stream_stream(path)
            silent: list[Any] = [rpc() for _ in range(8)]
            await asyncio.gather(*(call.wait_for_connection() for call in silent))
            while True:
                refusal = await asyncio.wait_for(refusal_of(rpc()), 30)
                if refusal.reason == "CALLS_BUSY":
                    return refusal

    refusal = asyncio.run(walk())

    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.retry_seconds is not None
    assert setting in refusal.hint
