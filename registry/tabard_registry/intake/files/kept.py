# SPDX-License-Identifier: Apache-2.0
"""What is kept of files for the next ones like them: a bounded table, the last used stay longest.

Knows nothing of what is in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, up to a sum of their sizes. Any thread."""

    def __init__(self, *, sizes_max: int) -> None:
        """Take the bound; the caller says in what it is counted."""
        self._sizes_max = sizes_max
        self._rows: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._sizes = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """Return what is kept under a key, and note that it was used."""
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                return None
            self._rows.move_to_end(key)
            return row[0]

    def put(self, key: K, value: V, *, size: int) -> None:
        """Keep a value, and let go what was not used for longest; what is too large is not kept."""
        if size > self._sizes_max:
            return
        with self._lock:
            _, before = self._rows.pop(key, (None, 0))
            self._rows[key] = (value, size)
            self._sizes += size - before
            while self._sizes > self._sizes_max:
                _, (_, gone) = self._rows.popitem(last=False)
                self._sizes -= gone

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._rows.clear()
            self._sizes = 0
