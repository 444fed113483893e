# SPDX-License-Identifier: Apache-2.0
"""The host tier: adapters in memory, loaded once for all who ask, kept while anybody holds them.

In: digests. Out: leases. Eviction takes by use and size of what nobody holds, and last what a
rollback may need. Knows neither torch nor the registry.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Self

from tabard_server.adapters.eviction import EvictionOrder
from tabard_server.engine_port.stack import HostAdapterLike, Resident
from tabard_server.errors import Overloaded
from tabard_server.telemetry.metrics import Metrics

_TRIP_BYTES = 4 << 20
"""What is read from the disk in the time that a load takes beside that."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    adapter: HostAdapterLike
    leases: int = 0
    is_dropped: bool = False


class Lease:
    """Keeps one adapter in memory until released. Release from any thread; idempotent."""

    def __init__(self, cache: "HostCache", *, digest: str, adapter: HostAdapterLike) -> None:
        self._cache = cache
        self._is_held = True
        self.digest = digest
        self.adapter = adapter

    def release(self) -> None:
        """Let the cache evict the adapter when it needs room."""
        if self._is_held:
            self._is_held = False
            self._cache.give_back(self.digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()


class HostCache:
    """Adapters by digest, at most `bytes_max` together.

    `acquire` is for the asyncio thread; releasing, `residents` and `resident_bytes` for any.
    """

    def __init__(
        self,
        *,
        load: Callable[[str], HostAdapterLike],
        bytes_max: int,
        executor: Executor,
        metrics: Metrics,
    ) -> None:
        """Take the function that loads a digest; it runs in the executor's threads."""
        self._load = load
        self._bytes_max = bytes_max
        self._executor = executor
        self._metrics = metrics
        self._entries: dict[str, _Entry] = {}
        self._order: EvictionOrder[str] = EvictionOrder(trip_size=_TRIP_BYTES)
        self._loads: dict[str, asyncio.Task[HostAdapterLike]] = {}
        self._dropped_loads: set[str] = set()
        self._favoured: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    async def acquire(self, digest: str) -> Lease:
        """Lease an adapter, loading it if nobody has; loads of one digest are one load.

        A caller that gives up does not stop a load that others wait for.

        Raises:
            Overloaded: Everything else in memory is held, and this one does not fit beside it.
            Exception: Whatever the load raised; the next caller tries again.
        """
        with self._lock:
            if digest in self._entries:
                self._metrics.adapter_cache_hits.labels(tier="host").inc()
                return self._lease(digest)
        load = self._loads.get(digest)
        if load is None:
            load = asyncio.create_task(self._load_once(digest), name=f"load {digest}")
            # Its waiters may all be gone by the time it fails; then nobody is left to be told.
            load.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loads[digest] = load
        adapter = await asyncio.shield(load)
        with self._lock:
            if digest not in self._entries:
                self._insert(digest, adapter)
            return self._lease(digest)

    def give_back(self, digest: str) -> None:
        """Return one lease; only `Lease` calls this."""
        with self._lock:
            entry = self._entries[digest]
            assert entry.leases > 0, "a lease was given back twice"
            entry.leases -= 1
            self._remove_dropped(digest)

    def drop(self, digest: str) -> None:
        """Forget an adapter as soon as nobody holds it, for it may not be worn any more.

        Whoever leases it again knows better, and keeps it.
        """
        with self._lock:
            if digest in self._loads:
                self._dropped_loads.add(digest)
            if digest in self._entries:
                self._entries[digest].is_dropped = True
                self._remove_dropped(digest)

    def favour(self, digests: frozenset[str]) -> None:
        """Evict these last: what live channels point to, and what a rollback returns to."""
        self._favoured = digests

    def residents(self) -> tuple[Resident, ...]:
        """Return what lies in memory, first to be evicted first."""
        with self._lock:
            return tuple(
                Resident(
                    digest=digest,
                    bytes=self._entries[digest].adapter.resident_bytes,
                    leases=self._entries[digest].leases,
                )
                for digest in self._order.in_order(favoured=self._favoured)
            )

    @property
    def room_bytes(self) -> int:
        """Bytes for which nothing has to go."""
        return self._bytes_max - self._order.size

    @property
    def resident_bytes(self) -> int:
        """Bytes of all adapters in memory."""
        return self._order.size

    async def _load_once(self, digest: str) -> HostAdapterLike:
        begun = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            adapter = await loop.run_in_executor(self._executor, self._load, digest)
            with self._lock:
                # Who waited for a dropped load keeps it, maybe while this one is on its way.
                if digest not in self._dropped_loads and digest not in self._entries:
                    self._insert(digest, adapter)
        finally:
            del self._loads[digest]
            self._dropped_loads.discard(digest)
        self._metrics.adapter_loads.labels(tier="host").inc()
        self._metrics.adapter_load_seconds.labels(tier="host").observe(time.perf_counter() - begun)
        return adapter

    def _lease(self, digest: str) -> Lease:
        entry = self._entries[digest]
        entry.leases += 1
        entry.is_dropped = False
        self._order.use(digest)
        return Lease(self, digest=digest, adapter=entry.adapter)

    def _insert(self, digest: str, adapter: HostAdapterLike) -> None:
        wanted = adapter.resident_bytes
        held = {name for name, entry in self._entries.items() if entry.leases}
        victims = self._order.victims(
            excess=self._order.size + wanted - self._bytes_max,
            held=held,
            favoured=self._favoured,
        )
        if victims is None:
            freeable = self._bytes_max - sum(
                self._entries[name].adapter.resident_bytes for name in held
            )
            raise Overloaded(
                f"{digest} takes {wanted} bytes; {freeable} of {self._bytes_max} can be freed now",
                reason="HOST_MEMORY_FULL",
                hint="retry when running jobs have ended, or raise limits.host_bytes_max",
                retry_seconds=1.0,
            )
        for name in victims:
            del self._entries[name]
            self._order.evict(name)
        self._entries[digest] = _Entry(adapter=adapter)
        self._order.add(digest, size=wanted)
        self._metrics.adapter_resident_bytes.labels(tier="host").set(self._order.size)

    def _remove_dropped(self, digest: str) -> None:
        entry = self._entries[digest]
        if entry.is_dropped and entry.leases == 0:
            del self._entries[digest]
            self._order.remove(digest)
            self._metrics.adapter_resident_bytes.labels(tier="host").set(self._order.size)
