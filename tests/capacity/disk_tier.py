# SPDX-License-Identifier: Apache-2.0
"""The disk tier without its files: the real eviction, by the real sizes.

In: names that are used. Out: whether each lay there. What `DiskCache` decides and nothing that it
writes; a test runs both side by side.
"""

from __future__ import annotations

from tabard_server.adapters import disk_cache
from tabard_server.adapters.eviction import EvictionOrder


class DiskTier:
    """Names at most `bytes_max` together."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._order: EvictionOrder[str] = EvictionOrder(trip_size=disk_cache._TRIP_BYTES)
        self.hits = 0
        self.misses = 0

    def __contains__(self, name: str) -> bool:
        return name in self._order

    def use(self, name: str, *, size: int) -> None:
        """Use a name: it lies here from now on, if there can be room."""
        if name in self._order:
            self.hits += 1
            self._order.use(name)
            return
        self.misses += 1
        victims = self._order.victims(excess=self._order.size + size - self._bytes_max)
        for victim in victims or ():
            self._order.evict(victim)
        if victims is not None:
            self._order.add(name, size=size)
            # Worn is what is read back from the disk: that counts as well.
            self._order.use(name)
