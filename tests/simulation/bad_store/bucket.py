# SPDX-License-Identifier: Apache-2.0
"""The objects themselves, honest and shared by all: what was applied is there, and nothing else is.

Notes what must never be asked of a store, whoever asks: a log slot deleted or written over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Bucket:
    """Objects with the time at which each was written.

    Attributes:
        objects: Bytes by key.
        written: Simulated second at which the object was written.
        crimes: Requests that no client may ever make.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, float] = {}
        self.crimes: list[str] = []
        self._clock = clock

    def create(self, key: str, body: bytes) -> bool:
        """Make an object unless it is there; return whether this made it."""
        if key in self.objects:
            return False
        self._write(key, body)
        return True

    def put(self, key: str, body: bytes) -> None:
        """Store bytes, whatever is there."""
        self._refuse_log(key, "put over")
        self._write(key, body)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._refuse_log(key, "deleted")
        self.objects.pop(key, None)
        self.written.pop(key, None)

    def fingerprint(self) -> str:
        """Digest of all objects: two equal histories end in equal buckets."""
        hasher = hashlib.sha256()
        for key in sorted(self.objects):
            hasher.update(f"{key}={hashlib.sha256(self.objects[key]).hexdigest()}\n".encode())
        return hasher.hexdigest()

    def _write(self, key: str, body: bytes) -> None:
        self.objects[key] = body
        self.written[key] = self._clock()

    def _refuse_log(self, key: str, what: str) -> None:
        if key.startswith("log/") or key == "format.json":
            self.crimes.append(f"{key} was {what}")
