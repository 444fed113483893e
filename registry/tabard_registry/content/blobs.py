# SPDX-License-Identifier: Apache-2.0
"""Content-addressed bytes: stored under their sha256, verified when they come back.

A collection may condemn a digest; bytes that come back later lie under another generation of the
key, so that a late delete of the condemned ones never hits them. Who was condemned is passed in.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry, NotFound
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.scratch import Scratch
from tabard_registry.store.store import Store

_CHUNK_BYTES = 1 << 20


class Blobs:
    """Blobs of one store. Safe to use from several threads.

    Args:
        store: Where the objects are.
        generation: Gives the generation under which the bytes of a digest lie now.
    """

    def __init__(
        self, store: Store, *, generation: Callable[[Digest], int] = lambda _digest: 0
    ) -> None:
        self._store = store
        self._generation = generation

    def put_file(self, path: Path, *, digest: Digest) -> None:
        """Store a file; idempotent.

        Raises:
            CorruptRegistry: The file no longer has this digest; nothing is stored.
            OSError: The file cannot be read.
            StoreUnavailable: The store did not take it.
        """
        key = self._key(digest)
        self._store.put(key, chunks=_verified(_chunks_of(path), digest=digest, key=key))

    def put_bytes(self, content: bytes) -> Digest:
        """Store bytes; idempotent. Returns their digest."""
        digest = sha256_bytes(content)
        self._store.put(self._key(digest), chunks=[content])
        return digest

    def read(self, digest: Digest, *, bytes_max: int) -> bytes:
        """Return a small blob, verified.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: Its bytes have another digest, or are more than `bytes_max`.
        """
        key = self._key(digest)
        content = self._store.read(key, bytes_max=bytes_max)
        if content is None:
            raise _missing(digest)
        if sha256_bytes(content) != digest:
            raise _corrupt(key)
        return content

    def fetch(self, digest: Digest, *, target: Path) -> None:
        """Copy a blob to `target`, verified; `target` appears whole or not at all.

        What an interrupted fetch left beside `target` is taken up where it ended.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: Its bytes have another digest.
            StoreUnavailable: The store did not answer; what came so far is kept for the next try.
            OSError: `target` cannot be written.
        """
        key = self._key(digest)
        with _partial_file(target) as (partial, file):
            try:
                self._complete(file, key=key, digest=digest)
            except (CorruptRegistry, NotFound):
                _remove(partial)
                raise
            partial.replace(target)

    def delete(self, digest: Digest) -> None:
        """Remove the bytes of a digest, whatever their generation; idempotent.

        Raises:
            StoreUnavailable: Some of them may still be there; trying again is safe.
        """
        for found in list(self._store.objects(blob_key(digest))):
            self._store.delete(found.key)

    def path(self, digest: Digest) -> Path | None:
        """Return the blob as a local file, or None when the store is elsewhere.

        Raises:
            NotFound: There is no such blob.
        """
        key = self._key(digest)
        path = self._store.local_path(key)
        if path is None and self._store.size_bytes(key) is None:
            raise _missing(digest)
        return path

    def is_there(self, digest: Digest) -> bool:
        """Say whether the bytes of a digest are there, unverified."""
        return self._store.size_bytes(self._key(digest)) is not None

    def _key(self, digest: Digest) -> str:
        return blob_key(digest, generation=self._generation(digest))

    def _complete(self, file: BinaryIO, *, key: str, digest: Digest) -> None:
        hasher = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
        taken_up_bytes = file.tell()
        for chunk in self._store.stream(key, start=taken_up_bytes):
            hasher.update(chunk)
            file.write(chunk)
        if hasher.hexdigest() != digest.hex:
            if taken_up_bytes == 0:
                raise _corrupt(key)
            # What lay there was not the beginning of this blob: all of it again.
            file.seek(0)
            file.truncate()
            self._complete(file, key=key, digest=digest)
            return
        file.flush()
        os.fsync(file.fileno())


def blob_key(digest: Digest, *, generation: int = 0) -> str:
    """Name the object of a blob; generation 0 has no suffix."""
    suffix = f".{generation}" if generation else ""
    return f"blob/sha256/{digest.hex[:2]}/{digest.hex[2:]}{suffix}"


@contextmanager
def _partial_file(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open what an earlier fetch left, or a new file; another one while that is being written."""
    partial = target.with_name(f".{target.name}.part")
    with _open_to_extend(partial) as file:
        if _is_ours(file, partial):
            yield partial, file
            return
    with Scratch("fetch", parent=target.parent) as scratch:
        partial = scratch.path / target.name
        with partial.open("x+b") as file:
            yield partial, file


def _open_to_extend(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")


def _is_ours(file: BinaryIO, path: Path) -> bool:
    """Lock the file; False when another fetch has it, or has just moved or removed it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _verified(chunks: Iterable[bytes], *, digest: Digest, key: str) -> Iterator[bytes]:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != digest.hex:
        raise _corrupt(key)


def _missing(digest: Digest) -> NotFound:
    return NotFound(
        f"no blob {digest}",
        reason="BLOB_NOT_FOUND",
        hint=RESTORE_BLOB,
    )


def _corrupt(key: str) -> CorruptRegistry:
    return CorruptRegistry(
        f"the bytes of {key} do not have the digest in its name",
        reason="CORRUPT_BLOB",
        hint=f"It changed while it was read, or the store damaged it: try again. {RESTORE_BLOB}",
    )
