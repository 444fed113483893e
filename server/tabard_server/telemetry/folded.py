# SPDX-License-Identifier: Apache-2.0
"""Sums by key for a bounded number of keys; those of all others are one sum.

In: keys and amounts as things happen. Out: what the metrics page shows. The sum over everything
stays what it was.
"""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
Amounts = tuple[float, ...]


class Folded(Generic[K]):
    """Sums for the keys that were last heard of. Any thread."""

    def __init__(self, *, keys_max: int, width: int = 1) -> None:
        """Take how many keys have sums of their own, and how many sums each has."""
        self._keys_max = keys_max
        self._lock = threading.Lock()
        self._sums: OrderedDict[K, Amounts] = OrderedDict()
        self._nothing: Amounts = (0.0,) * width
        self._others: Amounts = self._nothing

    def add(self, key: K, *amounts: float) -> None:
        """Add to the sums of a key; whoever was heard of longest ago makes room for a new one."""
        with self._lock:
            self._sums[key] = _plus(self._sums.get(key, self._nothing), amounts)
            self._sums.move_to_end(key)
            if len(self._sums) > self._keys_max:
                self._others = _plus(self._others, self._sums.popitem(last=False)[1])

    def fold(self, key: K) -> None:
        """Count a key among the others from now on."""
        with self._lock:
            self._others = _plus(self._others, self._sums.pop(key, self._nothing))

    def read(self) -> tuple[list[tuple[K, Amounts]], Amounts]:
        """Return the sums of every key, and those of all others together."""
        with self._lock:
            return list(self._sums.items()), self._others


def _plus(sums: Amounts, amounts: Amounts) -> Amounts:
    return tuple(one + other for one, other in zip(sums, amounts, strict=True))
