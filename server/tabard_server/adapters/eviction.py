# SPDX-License-Identifier: Apache-2.0
"""Who is evicted first: GreedyDual-Size-Frequency, by use, size and age together.

In: what is kept, how large it is, and when it is used. Out: whom to evict for room. Pure; knows
neither bytes nor clocks. Of L. Cherkasova, "Improving WWW Proxies Performance with
Greedy-Dual-Size-Frequency Caching Policy", HPL-98-69R1, 1998.
"""

from collections.abc import Container, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True, kw_only=True)
class _Kept:
    size: int
    uses: int
    used_at: int
    priority: float


class EvictionOrder(Generic[K]):
    """What is kept, ranked by `age + uses * cost / size`. The caller holds the lock.

    The cost of a miss is one trip, and the way back of everything that is missed. `age` is the
    highest priority that was evicted: what is used again stands above it, what once was popular
    and is no longer sinks below. Equals go in the order of their last use.
    """

    def __init__(self, *, trip_size: int) -> None:
        """Take the size whose transfer takes as long as a trip that brings nothing."""
        assert trip_size > 0
        self._trip_size = trip_size
        self._kept: dict[K, _Kept] = {}
        self._age = 0.0
        self._uses = 0
        self.size = 0

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def add(self, key: K, *, size: int) -> None:
        """Keep something new; that is its first use."""
        assert key not in self._kept, "it is kept already"
        self._kept[key] = _Kept(size=size, uses=0, used_at=0, priority=0.0)
        self.size += size
        self.use(key)

    def use(self, key: K) -> None:
        """Note that something kept was used."""
        kept = self._kept[key]
        self._uses += 1
        kept.uses, kept.used_at = kept.uses + 1, self._uses
        size = max(kept.size, 1)
        kept.priority = self._age + kept.uses * (1 / size + 1 / self._trip_size)

    def remove(self, key: K) -> None:
        """Let something go for another reason than room: nothing grows older by that."""
        self.size -= self._kept.pop(key).size

    def evict(self, key: K) -> None:
        """Let something go for want of room."""
        self._age = max(self._age, self._kept[key].priority)
        self.remove(key)

    def in_order(self, *, favoured: Container[K] = ()) -> list[K]:
        """Return everything, first to be evicted first, favoured ones last."""

        def rank(key: K) -> tuple[bool, float, int]:
            kept = self._kept[key]
            return key in favoured, kept.priority, kept.used_at

        return sorted(self._kept, key=rank)

    def victims(
        self, *, excess: int, held: Container[K] = (), favoured: Container[K] = ()
    ) -> list[K] | None:
        """Choose whom to evict.

        Args:
            excess: How much must go.
            held: What may not go.
            favoured: What goes last.

        Returns:
            None when all that is not held is not enough.
        """
        chosen: list[K] = []
        if excess <= 0:
            return chosen
        for key in self.in_order(favoured=favoured):
            if key not in held:
                chosen.append(key)
                excess -= self._kept[key].size
                if excess <= 0:
                    return chosen
        return None
