# SPDX-License-Identifier: Apache-2.0
"""A whole server on the fake engine in a thread, for verbs whose answers a fake would only echo."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard_registry import Registry, Release
from tests.server.adapters.published_lora import publish_lora
from tests.server.harness import Server, serving

PATIENCE_SECONDS = 60.0


@dataclass(kw_only=True)
class RealServer:
    """A running server: where it is, and its registry."""

    address: str
    registry: Registry
    folder: Path

    def publish(self, name: str, version: str = "1.0.0") -> Release:
        """Publish a small LoRA."""
        place = self.folder / f"{name.replace('/', '-')}-{version}"
        place.mkdir()
        return publish_lora(self.registry, folder=place, name=name, version=version)


@contextmanager
def real_server(folder: Path, **changes: Any) -> Iterator[RealServer]:
    """Run a server for the length of a block; `changes` are settings of its own."""
    ready: threading.Event = threading.Event()
    found: list[Server] = []
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def walk() -> None:
        async with serving(folder, **changes) as server:
            found.append(server)
            ready.set()
            await over.wait()

    def run() -> None:
        try:
            loop.run_until_complete(walk())
        finally:
            loop.close()
            ready.set()

    thread = threading.Thread(target=run, name="real-server")
    thread.start()
    try:
        assert ready.wait(PATIENCE_SECONDS) and found, "the server did not start"
        (server,) = found
        yield RealServer(address=server.address, registry=server.app.registry, folder=folder)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        thread.join()
