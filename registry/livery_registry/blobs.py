# SPDX-License-Identifier: Apache-2.0
"""Content-addressed bytes: stored under their sha256, verified when they come back."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from livery_registry.digest import Digest, sha256_bytes
from livery_registry.errors import CorruptRegistry, NotFound
from livery_registry.store import Store

_CHUNK_BYTES = 1 << 20


class Blobs:
    """Blobs of one store. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_file(self, path: Path, *, digest: Digest) -> None:
        """Store a file; idempotent.

        Raises:
            CorruptRegistry: The file no longer has this digest; nothing is stored.
            OSError: The file cannot be read.
            StoreUnavailable: The store did not take it.
        """
        self._store.put(blob_key(digest), chunks=_verified(_chunks_of(path), digest=digest))

    def put_bytes(self, content: bytes) -> Digest:
        """Store bytes; idempotent. Returns their digest."""
        digest = sha256_bytes(content)
        self._store.put(blob_key(digest), chunks=[content])
        return digest

    def read(self, digest: Digest, *, bytes_max: int) -> bytes:
        """Return a small blob, verified.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: Its bytes have another digest, or are more than `bytes_max`.
        """
        content = self._store.read(blob_key(digest), bytes_max=bytes_max)
        if content is None:
            raise _missing(digest)
        if sha256_bytes(content) != digest:
            raise _corrupt(blob_key(digest))
        return content

    def fetch(self, digest: Digest, *, target: Path) -> None:
        """Copy a blob to `target`, verified; `target` appears whole or not at all.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: Its bytes have another digest.
            OSError: `target` cannot be written.
        """
        temp = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            with temp.open("xb") as file:
                for chunk in _verified(self._store.stream(blob_key(digest)), digest=digest):
                    file.write(chunk)
            temp.replace(target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temp.unlink()

    def path(self, digest: Digest) -> Path | None:
        """Return the blob as a local file, or None when the store is elsewhere.

        Raises:
            NotFound: There is no such blob.
        """
        path = self._store.local_path(blob_key(digest))
        if path is None and self._store.size_bytes(blob_key(digest)) is None:
            raise _missing(digest)
        return path


def blob_key(digest: Digest) -> str:
    """Name the object of a blob."""
    return f"blob/sha256/{digest.hex[:2]}/{digest.hex[2:]}"


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _verified(chunks: Iterable[bytes], *, digest: Digest) -> Iterator[bytes]:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != digest.hex:
        raise _corrupt(blob_key(digest))


def _missing(digest: Digest) -> NotFound:
    return NotFound(
        f"no blob {digest}",
        reason="BLOB_NOT_FOUND",
        hint="Restore the blob from a backup; its digest is its name.",
    )


def _corrupt(key: str) -> CorruptRegistry:
    return CorruptRegistry(
        f"the bytes of {key} do not have the digest in its name",
        reason="CORRUPT_BLOB",
        hint="It changed while it was read, or the store damaged it: try again, or restore it.",
    )
