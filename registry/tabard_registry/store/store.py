# SPDX-License-Identifier: Apache-2.0
"""The seam to storage: named objects under one root. Knows nothing of records, blobs or releases.

Two ways of writing: `create` makes a small object once and says what came of it; `put` stores bytes
whose key is their own digest, so that doing it twice is harmless. Neither ever changes anything;
`replace` does, and is only for what may be wrong or missing, and `delete` for what nothing names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

FORMAT_KEY = "format.json"
"""The object that makes a place a registry; it is there as long as the registry is."""
BRING_BACK = "Its folder was moved, is not mounted, or is empty: bring it back."
"""What to do when a registry that was there is not."""
TRY_AGAIN = "The connection broke off or the store was slow: try again."
"""What to do when a store failed in passing, whatever it is."""


class Outcome(Enum):
    """What came of a create."""

    CREATED = "created"
    """This call made the object, durably."""
    OCCUPIED = "occupied"
    """The object was there already, perhaps from an earlier try of the same caller."""
    UNKNOWN = "unknown"
    """The store cannot tell; the object may appear later. Read before trying again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of a listing.

    Attributes:
        key: Its key below the root.
        size_bytes: Its size.
        age_seconds: How long ago it was written, by the store's own clock.
    """

    key: str
    size_bytes: int
    age_seconds: float


class Store(Protocol):
    """Objects under one root. Implementations are safe to use from several threads."""

    @property
    def url(self) -> str:
        """Where the objects are, for people."""
        ...

    @property
    def needs_doctor(self) -> bool:
        """Whether a server must prove, before it writes, that a create has one winner here."""
        ...

    @property
    def is_swept_when_opened(self) -> bool:
        """Whether a sweep is so quick here that every opening of a registry does one."""
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

    def read_many(self, keys: Sequence[str], *, bytes_max: int) -> list[bytes | None]:
        """Return small objects in the order of `keys`; at once where that is faster.

        Raises:
            StoreUnavailable: The store did not answer for one of them.
            CorruptRegistry: One of them is larger than `bytes_max`.
        """
        ...

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Store bytes under their content address; the object is visible whole or not at all.

        When iterating `chunks` raises, nothing is stored. An object that is there stays.

        Raises:
            StoreUnavailable: The bytes may or may not be there; trying again is safe.
        """
        ...

    def replace(self, key: str, *, body: bytes) -> None:
        """Write the object whatever was there: readers see the old one or the new one, whole.

        For advice that may be stale or missing, like `hint.json`; never for the log.

        Raises:
            StoreUnavailable: The old or the new object is there; trying again is safe.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is fine.

        Raises:
            StoreUnavailable: It may or may not be there; trying again is safe.
        """
        ...

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """List the objects whose key begins with `prefix`, sorted by key. Never for a log's tail.

        Unfinished writes are not objects: `tmp/` is left out.

        Raises:
            StoreUnavailable: The store did not answer.
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

    def sweep(self) -> int:
        """Remove what writers that died long ago left unfinished; return how many of them.

        Raises:
            StoreUnavailable: The store did not answer; what is left is harmless.
        """
        ...

    def top_level(self) -> frozenset[str]:
        """List the first path segments in use. For opening a place, never for following a log."""
        ...
