# SPDX-License-Identifier: Apache-2.0
"""Keeps in host memory what live channels point to, and what a rollback would return to.

In: the registry's records as they come, and what jobs wear. Out: favours and loads in the host
tier. Looks only at release lines that were moved or worn, however many there are. Best effort: a
release that cannot be loaded is logged, and nobody waits for it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from tabard_registry import Adapter, AdapterName, AppliedRecord, Digest, Registry, RegistryError
from tabard_server.adapters.disk_cache import DiskCache, KeptRelease
from tabard_server.adapters.host_cache import HostCache
from tabard_server.engine_port.errors import EngineError
from tabard_server.errors import ServerError
from tabard_server.jobs.job import worn_for
from tabard_server.telemetry.labels import Labels
from tabard_server.telemetry.logs import log_problem

_LINES_MAX = 4_096


class Warming:
    """Follows the channels of the release lines that matter here. One asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        cache: HostCache,
        disk: DiskCache | None = None,
        labels: Labels,
    ) -> None:
        self._labels = labels
        self._registry = registry
        self._cache = cache
        self._disk = disk
        self._favoured: OrderedDict[AdapterName, frozenset[str]] = OrderedDict()
        self._loads: set[asyncio.Task[None]] = set()

    def review(self, records: Sequence[AppliedRecord]) -> None:
        """Favour what touched channels point to, and load what has just been moved to."""
        touched: dict[AdapterName, set[str]] = {}
        for applied in records:
            for action, effect in zip(applied.record.actions, applied.effects, strict=True):
                if effect.effective and "/" in action.adapter:
                    moved = touched.setdefault(AdapterName.parse(action.adapter), set())
                    if action.channel:
                        moved.add(action.digest)
        self._favour(touched)
        for name, moved in touched.items():
            line = self._registry.state.adapters.get(name)
            if line is not None:
                self._load(line, moved=moved)

    def note_worn(self, names: Iterable[AdapterName]) -> None:
        """Favour what the channels of these lines point to: a job wears them."""
        self._favour(names)

    def begin_recall(self, kept_releases: Callable[[], list[KeptRelease]]) -> None:
        """Load in the background what an earlier run kept on disk and channels still point to.

        As far as it fits, one after the other, last used first.
        """
        task = asyncio.create_task(self._recall(kept_releases), name="recall")
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    def close(self) -> None:
        """Stop loading. Idempotent."""
        for task in self._loads:
            task.cancel()

    async def _recall(self, kept_releases: Callable[[], list[KeptRelease]]) -> None:
        for kept in await asyncio.to_thread(kept_releases):
            line = self._registry.state.adapters.get(AdapterName.parse(kept.line))
            if line is None or kept.digest not in self._favours(line):
                continue
            self._favour([line.name])
            if kept.bytes <= self._cache.room_bytes and self._is_servable(line, kept.digest):
                await self._warm(kept.digest)

    def _favour(self, names: Iterable[AdapterName]) -> None:
        is_changed = False
        for name in names:
            line = self._registry.state.adapters.get(name)
            favoured = self._favours(line) if line else frozenset()
            is_changed |= self._favoured.get(name) != favoured
            self._favoured[name] = favoured
            self._favoured.move_to_end(name)
        while len(self._favoured) > _LINES_MAX:
            self._favoured.popitem(last=False)
        if is_changed:
            favoured = frozenset[str]().union(*self._favoured.values())
            self._cache.favour(favoured)
            if self._disk is not None:
                self._disk.favour(favoured)

    def _favours(self, line: Adapter) -> frozenset[str]:
        wanted = {
            digest
            for channel in line.channels.values()
            for digest in (channel.digest, *channel.below[-1:])
        }
        found = (line.by_digest.get(digest) for digest in wanted)
        return frozenset(one for release in found if release for one in worn_for(release))

    def _load(self, line: Adapter, *, moved: set[str]) -> None:
        live = {str(channel.digest): channel.digest for channel in line.channels.values()}
        for text in moved & live.keys():
            if not self._is_servable(line, text):
                continue
            release = line.by_digest[live[text]]
            self._labels.note(release)
            for digest in worn_for(release):
                task = asyncio.create_task(self._warm(digest), name=f"warm {digest}")
                self._loads.add(task)
                task.add_done_callback(self._loads.discard)

    def _is_servable(self, line: Adapter, digest: str) -> bool:
        release = line.by_digest.get(Digest.parse(digest))
        if release is None or not release.is_choosable:
            return False
        return not self._registry.state.troubled_members(release)

    async def _warm(self, digest: str) -> None:
        try:
            await self._cache.load(digest)
        except (RegistryError, ServerError, EngineError) as error:
            log_problem("adapter.not_warmed", digest=digest, reason=error.reason)
