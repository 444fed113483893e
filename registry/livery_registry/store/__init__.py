# SPDX-License-Identifier: Apache-2.0
"""The seam to storage: named objects under one root. Knows nothing of records, blobs or releases.

Two ways of writing: `create` makes a small object once and says what came of it; `put` stores bytes
whose key is their own digest, so that doing it twice is harmless. Nothing is ever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol


class Outcome(Enum):
    """What came of a create."""

    CREATED = "created"
    """This call made the object, durably."""
    OCCUPIED = "occupied"
    """The object was there already, perhaps from an earlier try of the same caller."""
    UNKNOWN = "unknown"
    """The store cannot tell; the object may appear later. Read before trying again."""


class Store(Protocol):
    """Objects under one root. Implementations are safe to use from several threads."""

    @property
    def url(self) -> str:
        """Where the objects are, for people."""
        ...

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Make the object if it is not there: all of it, or nothing.

        Raises:
            StoreUnavailable: Nothing was written, and nothing will appear later.
        """
        ...

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Return a small object, or None when there is none.

        Raises:
            StoreUnavailable: The store did not answer.
            CorruptRegistry: The object is larger than `bytes_max`.
        """
        ...

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Store bytes under their content address; the object is visible whole or not at all.

        When iterating `chunks` raises, nothing is stored. An object that is there stays.

        Raises:
            StoreUnavailable: The bytes may or may not be there; trying again is safe.
        """
        ...

    def size_bytes(self, key: str) -> int | None:
        """Return the size of an object, or None when there is none."""
        ...

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes `[start, start + length)` of an object in bounded chunks.

        Raises:
            NotFound: There is no such object.
            StoreUnavailable: The store did not answer.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the file that is the object, or None when it is elsewhere or missing."""
        ...

    def top_level(self) -> frozenset[str]:
        """List the first path segments in use. For opening a place, never for following a log."""
        ...
