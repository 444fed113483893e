# SPDX-License-Identifier: Apache-2.0
"""The disk tier: canonical files of a remote registry, kept by digest in the cache folder.

In: a blob and what to do with its file. Out: what that returns. A file is fetched once however many
ask, appears whole or not at all, and is fetched again when it is damaged. The least recently used
go first. Several processes may share the folder. Knows neither torch nor what the bytes mean.
"""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from livery_registry import BlobRef, CorruptRegistry, Digest
from livery_server.log import log_problem
from livery_server.metrics import Metrics

T = TypeVar("T")

_SUFFIX = ".safetensors"
_LEFTOVER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    bytes: int
    used_at: float


class DiskTier:
    """Files by digest, at most `bytes_max` together. Any thread; blocks while it fetches."""

    def __init__(
        self,
        folder: Path,
        *,
        fetch: Callable[[BlobRef, Path], None],
        bytes_max: int,
        metrics: Metrics,
    ) -> None:
        """Take the folder, and what copies a blob into a file, verified, whole or not at all."""
        self._folder = folder
        self._fetch = fetch
        self._bytes_max = bytes_max
        self._metrics = metrics
        self._lock = threading.Lock()
        self._turns: dict[Digest, tuple[threading.Lock, int]] = {}

    def use(self, blob: BlobRef, read: Callable[[Path], T]) -> T:
        """Read a blob's file, fetching it first if it is not here or is damaged.

        Args:
            blob: The blob.
            read: Reads and verifies the file; may be called twice.

        Raises:
            RegistryError: The blob is missing, damaged in the store, or out of reach.
        """
        with self._turn(blob.sha256):
            path = self._path(blob.sha256)
            try:
                found = read(path)
            except FileNotFoundError:
                pass
            except (CorruptRegistry, OSError) as error:
                log_problem("disk.file_damaged", path=path, message=str(error))
                self._metrics.failures.labels(reason="CACHE_DAMAGED").inc()
                _remove(path)
            else:
                self._metrics.adapter_cache_hits.labels(tier="disk").inc()
                with contextlib.suppress(OSError):
                    os.utime(path)
                return found
            return self._fetch_and_read(blob, read)

    def forget(self, digest: Digest) -> None:
        """Remove the file of a digest. Idempotent."""
        _remove(self._path(digest))

    @property
    def kept_bytes(self) -> int:
        """Bytes of all files, those that other processes put here included."""
        return sum(file.bytes for file in self._files())

    def _fetch_and_read(self, blob: BlobRef, read: Callable[[Path], T]) -> T:
        begun_at = time.perf_counter()
        path = self._path(blob.sha256)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(blob.bytes)
            if blob.bytes <= self._bytes_max:
                self._fetch(blob, path)
                self._note_fetched(begun_at)
                return read(path)
        except OSError as error:
            # The cache is a convenience: without it every load asks the store.
            log_problem("disk.not_usable", folder=self._folder, message=str(error))
            self._metrics.failures.labels(reason="CACHE_NOT_USABLE").inc()
        with tempfile.TemporaryDirectory(prefix="livery-fetch-") as folder:
            copy = Path(folder) / path.name
            self._fetch(blob, copy)
            self._note_fetched(begun_at)
            return read(copy)

    def _note_fetched(self, begun_at: float) -> None:
        self._metrics.adapter_loads.labels(tier="disk").inc()
        seconds = time.perf_counter() - begun_at
        self._metrics.adapter_load_seconds.labels(tier="disk").observe(seconds)

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove what was used longest ago, and what interrupted fetches left."""
        for path in self._folder.glob(".*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                    _remove(path)
        files = sorted(self._files(), key=lambda file: file.used_at)
        kept_bytes = sum(file.bytes for file in files)
        for file in files:
            if kept_bytes + wanted_bytes <= self._bytes_max:
                return
            _remove(file.path)
            kept_bytes -= file.bytes

    def _files(self) -> Iterator[_File]:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                yield _File(path=path, bytes=stat.st_size, used_at=stat.st_mtime)

    def _path(self, digest: Digest) -> Path:
        return self._folder / f"{digest.hex}{_SUFFIX}"

    @contextmanager
    def _turn(self, digest: Digest) -> Iterator[None]:
        """Let one thread at a time at a digest; who comes later finds the file."""
        with self._lock:
            lock, waiting = self._turns.get(digest, (threading.Lock(), 0))
            self._turns[digest] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._turns[digest]
                self._turns[digest] = (lock, waiting - 1)
                if waiting == 1:
                    del self._turns[digest]


def _remove(path: Path) -> None:
    # What cannot be removed is in nobody's way: it is written over, or read around.
    with contextlib.suppress(OSError):
        path.unlink()
