# SPDX-License-Identifier: Apache-2.0
"""Adapters that are nothing but a size, and how they are loaded."""

import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tabard_server.adapters.host_cache import HostCache
from tabard_server.telemetry.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class SizedAdapter:
    """Something with a size."""

    name: str
    resident_bytes: int = 10


class SizedLoader:
    """Loads them, counts loads, and can hold them up or break."""

    def __init__(self, sizes: Mapping[str, int] | None = None) -> None:
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.gates: dict[str, threading.Event] = {}
        self.errors: list[Exception] = []
        self._sizes = sizes or {}

    def hold(self, digest: str) -> threading.Event:
        """Hold loads of one digest until the returned event is set."""
        return self.gates.setdefault(digest, threading.Event())

    def __call__(self, digest: str) -> SizedAdapter:
        self.loads.append(digest)
        assert self.gates.get(digest, self.gate).wait(timeout=30)
        if self.errors:
            raise self.errors.pop(0)
        return SizedAdapter(name=digest, resident_bytes=self._sizes.get(digest, 10))


@asynccontextmanager
async def caching(
    loader: SizedLoader, *, bytes_max: int = 100, metrics: Metrics | None = None, **bounds: Any
) -> AsyncIterator[HostCache]:
    """Give a cache with two loading threads."""
    with ThreadPoolExecutor(max_workers=2) as executor:
        yield HostCache(
            load=loader,
            bytes_max=bytes_max,
            executor=executor,
            metrics=metrics or Metrics(),
            **{"loads_max": 2, "waiting_rows_max": 16, "overtakes_max": 4} | bounds,
        )
