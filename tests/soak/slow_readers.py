# SPDX-License-Identifier: Apache-2.0
"""Readers who take their time: `python -m tests.soak.slow_readers ADDRESS COUNT NAME…`.

Each asks for images with previews, reads one event, sleeps, and begins anew when it is done or was
refused. It ends when it is killed.
"""

from __future__ import annotations

import asyncio
import random
import sys

import grpc

from tabard.v1 import generation_service_pb2 as pb
from tabard.v1.generation_service_pb2_grpc import GenerationServiceStub

_PAUSE_SECONDS = (0.5, 3.0)


async def _read_slowly(stub: GenerationServiceStub, names: list[str], rng: random.Random) -> None:
    while True:
        request = pb.GenerateRequest(
            prompt="a red circle",
            adapters=[{"ref": rng.choice(names)}],
            num_images=2,
            num_inference_steps=4,
            width=32,
            height=32,
            preview_every=1,
        )
        try:
            async for _event in stub.Generate(request, timeout=60):
                await asyncio.sleep(rng.uniform(*_PAUSE_SECONDS))
        except grpc.RpcError:
            await asyncio.sleep(rng.uniform(*_PAUSE_SECONDS))


async def _main(address: str, count: int, names: list[str]) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = GenerationServiceStub(channel)
        seeds = range(count)
        readers = (_read_slowly(stub, names, random.Random(seed)) for seed in seeds)
        await asyncio.gather(*readers)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
