# SPDX-License-Identifier: Apache-2.0
"""The disk tier: what the engine wants, made once and kept as files in the cache folder.

In: a name, how its file is read, and how it is made. Out: what was read. A file is made once
however many ask, appears whole or not at all, and is made again when it is damaged. Files go by use
and size. Several processes may share the folder. Knows neither torch nor what the bytes mean.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tabard_registry import BlobRef, Digest
from tabard_registry.scratch import Scratch, remove_abandoned
from tabard_server.adapters.eviction import EvictionOrder
from tabard_server.telemetry.logs import log_problem
from tabard_server.telemetry.metrics import Metrics

T = TypeVar("T")

_SUFFIX, _FETCHED = ".slab", ".fetched"
_LEFTOVER_SECONDS = 24 * 3600.0
_TRIP_BYTES = 8 << 20
"""What a store sends in the time that asking it takes, and making a file beside that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRelease:
    """A release that lies in the disk tier, packed for this base.

    Attributes:
        digest: `sha256:…` of the release.
        line: Its release line, `namespace/name`.
        bytes: What it takes.
    """

    digest: str
    line: str
    bytes: int


class Damaged(Exception):
    """A file of the cache is not what its name says; the text says how."""


class DiskCache:
    """Files by name, at most `bytes_max` together. Any thread; blocks while it fetches and makes.

    Only this user can write the folder; who can is trusted with what lies in it.
    """

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
        self._turns: dict[str, tuple[threading.Lock, int]] = {}
        self._order: EvictionOrder[str] = EvictionOrder(trip_size=_TRIP_BYTES)
        self._used_at: dict[str, float] = {}
        self._favoured: frozenset[str] = frozenset()
        remove_abandoned(folder)
        self._take_stock()

    def use(
        self,
        name: str,
        *,
        read: Callable[[Path], T],
        make: Callable[[], T],
        write: Callable[[T, Path], None],
    ) -> T:
        """Read a file; make it first if it is not here or is damaged.

        Args:
            name: Name of the file.
            read: Reads and verifies it; raises `Damaged` when it is anything else.
            make: Makes what shall be in it.
            write: Writes that to a new file.

        Raises:
            Exception: Whatever `make` raises.
        """
        with self._turn(name):
            found = self._read(name, read=read)
            if found is not None:
                self._metrics.adapter_cache_hits.labels(tier="disk").inc()
                return found
            begun_at = time.perf_counter()
            made = make()
            if self._write(name, write=lambda path: write(made, path)):
                # Worn is what lies on the disk, and the memory of making it is given back.
                made = self._read(name, read=read) or made
            self._metrics.adapter_loads.labels(tier="disk").inc()
            seconds = time.perf_counter() - begun_at
            self._metrics.adapter_load_seconds.labels(tier="disk").observe(seconds)
            return made

    @contextmanager
    def fetched(self, blob: BlobRef) -> Iterator[Path]:
        """Fetch a blob for the length of a `with` block; what an interrupted fetch left is used.

        Raises:
            RegistryError: The blob is missing, damaged in the store, or out of reach.
        """
        name = f"{blob.sha256.hex}{_FETCHED}"
        with contextlib.ExitStack() as stack:
            try:
                self._prepare()
                scratch = stack.enter_context(Scratch("fetched", parent=self._folder))
                # Here, so that it is resumed; elsewhere then, so that nobody else removes it.
                self._fetch(blob, self._folder / name)
                path = (self._folder / name).rename(scratch.path / name)
            except OSError as error:
                self._note_not_usable(error)
                path = stack.enter_context(Scratch("fetched")).path / name
                self._fetch(blob, path)
            yield path

    def forget(self, release: Digest) -> None:
        """Remove the files of a release. Idempotent."""
        for path in self._folder.glob(f"{release.hex}.*"):
            _remove(path)

    def favour(self, digests: frozenset[str]) -> None:
        """Let the files of these releases go last."""
        self._favoured = digests

    def files(self) -> list[Path]:
        """Return all files, last used first."""
        files = self._files()
        return [
            self._folder / name for name in sorted(files, key=lambda name: -files[name].st_mtime)
        ]

    @property
    def kept_bytes(self) -> int:
        """Bytes of all files, those that other processes put here included."""
        return sum(found.st_size for found in self._files().values())

    def _read(self, name: str, *, read: Callable[[Path], T]) -> T | None:
        path = self._folder / name
        try:
            found = read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (Damaged, OSError) as error:
            log_problem("disk.file_damaged", path=path, message=str(error))
            self._metrics.failures.labels(reason="CACHE_DAMAGED").inc()
            _remove(path)
            return None
        self._note_used(path)
        return found

    def _write(self, name: str, *, write: Callable[[Path], None]) -> bool:
        """Write a file whole or not at all; False when it is not kept."""
        try:
            self._prepare()
            with Scratch("slab", parent=self._folder) as scratch:
                partial = scratch.path / name
                write(partial)
                if not self._make_room(partial.stat().st_size):
                    return False
                partial.replace(self._folder / name)
            _sync(self._folder)
            self._note_used(self._folder / name)
        except OSError as error:
            # The cache is a convenience: without it every load asks the store.
            self._note_not_usable(error)
            return False
        return True

    def _note_used(self, path: Path) -> None:
        """Count a use, here and, by the file's time, for other processes."""
        with self._lock, contextlib.suppress(OSError):
            found = path.stat()
            if path.name in self._used_at:
                self._order.use(path.name)
            else:
                self._order.add(path.name, size=found.st_size)
            self._used_at[path.name] = found.st_mtime
            os.utime(path)
            self._used_at[path.name] = path.stat().st_mtime

    def _prepare(self) -> None:
        """Make the folder, for this user alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_mode & 0o022:
            self._folder.chmod(0o700)

    def _make_room(self, wanted_bytes: int) -> bool:
        """Remove files by use and size, and what of an interrupted fetch nobody resumed."""
        for pattern in (".*", f"*{_FETCHED}"):
            for path in self._folder.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                        _remove(path)
        with self._lock:
            self._take_stock()
            names = {name for name in self._used_at if _release_of(name) in self._favoured}
            victims = self._order.victims(
                excess=self._order.size + wanted_bytes - self._bytes_max, favoured=names
            )
            for name in victims or ():
                self._order.evict(name)
                del self._used_at[name]
                _remove(self._folder / name)
            return victims is not None

    def _take_stock(self) -> None:
        """Learn what other processes wrote, used and removed; the oldest use counts first."""
        files = self._files()
        for name in [name for name in self._used_at if name not in files]:
            self._order.remove(name)
            del self._used_at[name]
        for name, found in sorted(files.items(), key=lambda item: item[1].st_mtime):
            if name not in self._used_at:
                self._order.add(name, size=found.st_size)
            elif found.st_mtime > self._used_at[name]:
                self._order.use(name)
            self._used_at[name] = max(found.st_mtime, self._used_at.get(name, 0.0))

    def _files(self) -> dict[str, os.stat_result]:
        files = {}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    files[path.name] = path.stat()
        return files

    def _note_not_usable(self, error: OSError) -> None:
        log_problem("disk.not_usable", folder=self._folder, message=str(error))
        self._metrics.failures.labels(reason="CACHE_NOT_USABLE").inc()

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Let one thread at a time at a name; who comes later finds the file."""
        with self._lock:
            lock, waiting = self._turns.get(name, (threading.Lock(), 0))
            self._turns[name] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._turns[name]
                self._turns[name] = (lock, waiting - 1)
                if waiting == 1:
                    del self._turns[name]


def _release_of(name: str) -> str:
    return f"sha256:{name.partition('.')[0]}"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    # What cannot be removed is in nobody's way: it is written over, or read around.
    with contextlib.suppress(OSError):
        path.unlink()
