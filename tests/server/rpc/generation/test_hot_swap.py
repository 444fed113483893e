# SPDX-License-Identifier: Apache-2.0
"""Publish, promote and roll back while jobs run: no image wears anything but what it recorded."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from tests.server.fakes import FakeEngine, noise
from tests.server.harness import Server, pixels_of, provenance_of, serving

ROUNDS = 10
READERS = 8


def test_swaps_under_load_stay_exact(tmp_path: Path) -> None:
    """Every request succeeds, and its pixels are those of the digest it was told."""

    async def walk() -> list[Any]:
        engine = FakeEngine(step_seconds=0.0005)
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink", "1.0.0")
            await server.promote("acme/ink@1.0.0")
            over = asyncio.Event()
            readers = [asyncio.ensure_future(_read(server, i, over)) for i in range(READERS)]
            await _swap(server)
            over.set()
            return [told for found in await asyncio.gather(*readers) for told in found]

    everything = asyncio.run(walk())
    digests = {_check(told) for told in everything}
    assert len(everything) >= READERS
    assert len(digests) > 1


async def _swap(server: Server) -> None:
    for number in range(1, ROUNDS + 1):
        await server.publish("acme/ink", f"1.{number}.0")
        await server.promote(f"acme/ink@1.{number}.0")
        if number % 2:
            await server.roll_back("acme/ink")


async def _read(server: Server, reader: int, over: asyncio.Event) -> list[Any]:
    found = []
    while not over.is_set():
        seed = reader * 1_000 + len(found)
        found.append(await server.generate("a cat", adapters=["acme/ink:0.7"], seed=seed))
    return found


def _check(told: Any) -> str:
    """Compare what was told, what is recorded and what is drawn; return the digest."""
    worn, image = told.accepted.worn[0], told.images[0]
    document = provenance_of(image.content)
    expected = noise(
        stack=[(worn.digest, 0.7)], prompt="a cat", seed=image.seed, width=64, height=64
    )
    assert document["stack"][0]["digest"] == worn.digest
    assert document["registry"]["seq"] == told.accepted.registry_seq
    assert np.array_equal(pixels_of(image.content), expected)
    return str(worn.digest)
