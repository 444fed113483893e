# SPDX-License-Identifier: Apache-2.0
"""Which bytes there are and which of them releases need: what upkeep and examination compare.

In: a listing of a store, a state. Out: values. Deletes nothing and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tabard_registry.content.blobs import blob_key
from tabard_registry.content.evidence import shown_blobs
from tabard_registry.errors import CorruptRegistry, NotFound, RegistryError
from tabard_registry.evidence.documents import Document
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.release import Adapter, Release
from tabard_registry.state.overlay import Base
from tabard_registry.state.state import State
from tabard_registry.store.store import Store

BLOB_PREFIX = "blob/"
"""Where blobs lie."""

_KEY = re.compile(r"blob/sha256/([0-9a-f]{2})/([0-9a-f]{62})(?:\.([1-9][0-9]{0,19}))?")
_SIZE_UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """One object that holds a blob.

    Attributes:
        key: Its key.
        digest: What its bytes should hash to.
        generation: Position of the collection since which it lies there; 0 for none.
        size_bytes: Its size.
        age_seconds: How long ago it was written, by the store's clock.
    """

    key: str
    digest: Digest
    generation: int
    size_bytes: int
    age_seconds: float


class Needs:
    """The blobs that the log needs: of releases, evidence and grids. 32 bytes each, however many.

    Pictures of evidence are known from its documents alone, so those are read. What was purged
    needs no blob but its documents. Not thread-safe.

    Attributes:
        purged: Blobs that purged releases have shown, and that are to be deleted where nothing else
            needs them.
    """

    def __init__(
        self,
        state: State,
        *,
        read: Callable[[Digest], Document],
        lost: Callable[[Digest, RegistryError], None] | None = None,
    ) -> None:
        """Read every release of a state, and every document.

        Args:
            state: The state.
            read: Reads a document.
            lost: Is told of each that cannot be read; None: that raises what `read` raises.
        """
        self._sizes: dict[bytes, int] = {}
        self.purged: set[Digest] = set()
        self._document = read
        self._lost = lost
        self._documents: set[Digest] = set()
        self._grids = state.grids
        self._lines = state.adapters
        self._base: Base = state.adapters.base
        self._changed: Mapping[AdapterName, Adapter] = {}
        self._read(state)

    def __contains__(self, digest: Digest) -> bool:
        return bytes.fromhex(digest.hex) in self._sizes

    def __iter__(self) -> Iterator[Digest]:
        return (Digest(raw.hex()) for raw in self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def size_bytes(self, digest: Digest) -> int | None:
        """Return how large a blob has to be, if the log says so."""
        size = self._sizes.get(bytes.fromhex(digest.hex), _SIZE_UNKNOWN)
        return None if size == _SIZE_UNKNOWN else size

    def follow(self, state: State) -> None:
        """Add what a later state needs besides; what it no longer needs may stay.

        Costs what changed, not what there is: planning at the tip of the log can afford it.
        """
        if state.grids is not self._grids:
            self._add_grids(state)
        if state.adapters is self._lines:
            return
        self._lines = state.adapters
        if state.adapters.base is not self._base:
            self._read(state)
            return
        changed = state.adapters.changed
        self._add(line for name, line in changed.items() if self._changed.get(name) is not line)
        self._changed = changed

    def _read(self, state: State) -> None:
        self._base, self._changed = state.adapters.base, state.adapters.changed
        self._add(state.adapters[name] for name in state.names())
        self._add_grids(state)

    def _add(self, lines: Iterable[Adapter]) -> None:
        for line in lines:
            for release in line.by_digest.values():
                if not release.purged:
                    self._sizes.update(_sizes_of(release))
                self._add_evidence(release)

    def _add_evidence(self, release: Release) -> None:
        for note in release.health.evidence:
            self._need(note.document)
            if note.document in self._documents and not release.purged:
                continue
            document = self._read_document(note.document)
            if document is None:
                continue
            shown = shown_blobs(document)
            for digest in set(document.blobs) - (set(shown) if release.purged else set()):
                self._need(digest)
            if release.purged:
                self.purged.update(shown)
            else:
                self._documents.add(note.document)

    def _add_grids(self, state: State) -> None:
        self._grids = state.grids
        for grids in state.grids.values():
            for one in grids:
                self._need(one.document)

    def _need(self, digest: Digest) -> None:
        self._sizes.setdefault(bytes.fromhex(digest.hex), _SIZE_UNKNOWN)

    def _read_document(self, digest: Digest) -> Document | None:
        try:
            return self._document(digest)
        except (NotFound, CorruptRegistry) as error:
            if self._lost is None:
                raise
            self._lost(digest, error)
            return None


def stored_blobs(store: Store) -> Iterator[StoredBlob | str]:
    """List the blobs of a store, sorted by key where the store can; other keys as they are.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    for found in store.objects(BLOB_PREFIX):
        named = read_blob_key(found.key)
        if named is None:
            yield found.key
            continue
        digest, generation = named
        yield StoredBlob(
            key=found.key,
            digest=digest,
            generation=generation,
            size_bytes=found.size_bytes,
            age_seconds=found.age_seconds,
        )


def read_blob_key(key: str) -> tuple[Digest, int] | None:
    """Read what `blob_key` wrote: digest and generation. None: it is something else."""
    found = _KEY.fullmatch(key)
    return (Digest(found[1] + found[2]), int(found[3] or 0)) if found else None


def generation_of(state: State, digest: Digest) -> int:
    """Return the generation under which the bytes of a digest lie at a position of the log."""
    return state.collected.get(str(digest), 0)


def current_key(state: State, digest: Digest) -> str:
    """Name the object of a blob at a position of the log."""
    return blob_key(digest, generation=generation_of(state, digest))


def _sizes_of(release: Release) -> dict[bytes, int]:
    sizes = dict.fromkeys(release.blobs, _SIZE_UNKNOWN)
    if len(release.original) == 1:
        sizes[release.original[0]] = release.original_bytes
    if release.canonical is not None:
        sizes[release.canonical] = release.resident_bytes
    return {bytes.fromhex(digest.hex): size for digest, size in sizes.items()}
