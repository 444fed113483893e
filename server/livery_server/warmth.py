# SPDX-License-Identifier: Apache-2.0
"""Keeps in host memory what live channels point to, and what a rollback would return to.

In: the registry's records as they come. Out: favours and loads in the host tier. Best effort: a
release that cannot be loaded is logged, and nobody waits for it.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from livery_registry import AppliedRecord, Registry, RegistryError
from livery_server.engine.errors import EngineError
from livery_server.errors import ServerError
from livery_server.log import log_problem

if TYPE_CHECKING:
    from livery_server.adapters.packed import HostAdapter
    from livery_server.adapters.tiers import HostCache


class Warmth:
    """Follows the channels. One asyncio thread."""

    def __init__(self, registry: Registry, *, cache: "HostCache[HostAdapter]") -> None:
        self._registry = registry
        self._cache = cache
        self._loads: set[asyncio.Task[None]] = set()

    def review(self, records: Sequence[AppliedRecord] = ()) -> None:
        """Favour what channels point to, and load what has just been moved to."""
        channels = [
            channel
            for adapter in self._registry.adapters()
            for channel in adapter.channels.values()
        ]
        favoured = {str(digest) for one in channels for digest in (one.digest, *one.below[-1:])}
        self._cache.favour(frozenset(favoured))
        live = {str(channel.digest) for channel in channels}
        moved = {
            action.digest
            for applied in records
            for action, effect in zip(applied.record.actions, applied.effects, strict=True)
            if effect.effective and action.channel
        }
        for digest in live & moved:
            task = asyncio.create_task(self._warm(digest), name=f"warm {digest}")
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    def close(self) -> None:
        """Stop loading. Idempotent."""
        for task in self._loads:
            task.cancel()

    async def _warm(self, digest: str) -> None:
        try:
            (await self._cache.acquire(digest)).release()
        except (RegistryError, ServerError, EngineError) as error:
            log_problem("adapter.not_warmed", digest=digest, reason=error.reason)
