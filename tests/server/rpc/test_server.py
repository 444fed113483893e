# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: what it tells tools of its services."""

import asyncio
from pathlib import Path

import grpc

from tests.server.harness import Request, refusal_of, serving, small_limits


def test_message_too_large_is_refused(tmp_path: Path) -> None:
    """The bound of a message is the setting's, and the server goes on."""

    async def walk() -> grpc.StatusCode:
        limits = small_limits(
            message_bytes_max=1 << 20,
            picture_bytes_max=1 << 10,
            region_mask_bytes_max=1 << 10,
            prompt_chars_max=1 << 10,
        )
        async with serving(tmp_path, limits=limits) as server:
            call = server.generation.Generate(Request(prompt="x" * (1 << 20)))
            refusal = await refusal_of(call)
            assert (await server.generate("x")).kinds[-1] == "done"
            return refusal.code

    assert asyncio.run(walk()) is grpc.StatusCode.RESOURCE_EXHAUSTED
