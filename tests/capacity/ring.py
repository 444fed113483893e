# SPDX-License-Identifier: Apache-2.0
"""Where a call goes: Envoy's ring hash with bounded load, and what it is compared with.

In: the key of a call, and how many calls each server has. Out: the number of a server. Written
after Envoy's `ring_hash_lb.cc` and `thread_aware_lb_impl.cc`; a test holds it to the real Envoy.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xxhash

MINIMUM_RING_SIZE = 1_024
"""Envoy's default."""


class Router(Protocol):
    """Chooses a server."""

    def choose(self, key: str, *, active: Sequence[int], total: int) -> int:
        """Choose for a key, where each server has so many calls, `total` together."""


class RingHash:
    """Consistent hashing, and bounded load where there is a balance factor."""

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        balance_factor: int = 0,
        minimum_ring_size: int = MINIMUM_RING_SIZE,
    ) -> None:
        """Take addresses as Envoy writes them, and percents of the mean that one may have."""
        self._count = len(hosts)
        self._balance_factor = balance_factor
        each = math.ceil(minimum_ring_size / len(hosts))
        ring = sorted(
            (_hash(f"{host}_{index}"), number)
            for number, host in enumerate(hosts)
            for index in range(each)
        )
        self._hashes = [hashed for hashed, _number in ring]
        self._numbers = [number for _hashed, number in ring]

    def primary(self, key: str) -> int:
        """Return whose part of the ring a key lies in."""
        at = bisect_left(self._hashes, _hash(key))
        return self._numbers[at % len(self._numbers)]

    def choose(self, key: str, *, active: Sequence[int], total: int) -> int:
        """Choose the owner, or who has room where the owner has more than its part."""
        owner = self.primary(key)
        if not self._balance_factor:
            return owner
        room = self._room(total)
        if active[owner] <= room:
            return owner
        # The order in which the others are asked is the key's own.
        seed = _hash(key) & 0xFFFF_FFFF
        draw = np.random.RandomState(seed)
        order = list(range(self._count))
        best = owner
        for at in range(self._count):
            swapped = at + _uniform(draw, self._count - at)
            order[at], order[swapped] = order[swapped], order[at]
            other = order[at]
            if other != owner and active[other] <= room:
                return other
            if active[other] < active[best]:
                best = other
        return best

    def _room(self, total: int) -> int:
        slots = ((total + 1) * self._balance_factor + 99) // 100
        return max(1, math.ceil(slots / self._count))


class Random:
    """Anybody: what affinity is compared with."""

    def __init__(self, count: int, *, rng: np.random.Generator) -> None:
        self._count = count
        self._rng = rng

    def choose(self, key: str, *, active: Sequence[int], total: int) -> int:
        """Choose anybody."""
        return int(self._rng.integers(self._count))


class LeastOfTwo(Random):
    """Who has less to do of two that are drawn: Envoy's default, which knows no stacks."""

    def choose(self, key: str, *, active: Sequence[int], total: int) -> int:
        """Choose of two."""
        one, other = (int(self._rng.integers(self._count)) for _ in range(2))
        return one if active[one] <= active[other] else other


def addresses(count: int) -> list[str]:
    """Return addresses of so many servers."""
    return [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:50051" for n in range(1, count + 1)]


def _hash(text: str) -> int:
    return xxhash.xxh64_intdigest(text.encode())


def _uniform(draw: np.random.RandomState, below: int) -> int:
    """Draw as Envoy does, with std::mt19937."""
    width = (1 << 32) // below
    while True:
        number = int(draw.randint(0, 1 << 32, dtype=np.uint32)) // width
        if number < below:
            return number
