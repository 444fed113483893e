# SPDX-License-Identifier: Apache-2.0
"""Drawn pictures by what shaped them, as files: what was drawn once is not drawn again.

In: a key and bytes. Out: the same bytes, or nothing. A file appears whole or not at all, and one
that is damaged is as good as none. Files go by use. Several processes may share the folder.
"""

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path

from tabard_registry.refs.digest import Digest

_SUFFIX = ".picture"
_DIGEST_BYTES = 32
_KEPT_PART = 0.9
"""How much of the bound is left when files had to go, so that they do not go one by one."""


class PictureCache:
    """Files by key, at most `bytes_max` together. Any thread; blocks while it reads and writes."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        """Take the folder, which is made when something is kept."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._bytes: int | None = None
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return what was kept; None: nothing, or no longer, or not as it was."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        digest, kept = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return kept if hashlib.sha256(kept).digest() == digest else None

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes, unless the disk does not take them: then they are drawn again some day."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                try:
                    file.write(hashlib.sha256(content).digest() + content)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(self._path(key))
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            self._count(_DIGEST_BYTES + len(content))

    def forget(self, release: Digest) -> None:
        """Remove what a release drew. Idempotent."""
        for path in self._folder.glob(f"{release.hex}.*"):
            with contextlib.suppress(OSError):
                path.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _count(self, added: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _used, size, _path in self._files())
            else:
                self._bytes += added
            if self._bytes > self._bytes_max:
                self._bytes = self._make_room()

    def _make_room(self) -> int:
        """Remove what was used longest ago; what a killed process left half written goes first."""
        files = sorted(self._files())
        total = sum(size for _used, size, _path in files)
        for _used, size, path in files:
            if total <= self._bytes_max * _KEPT_PART:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
        return total

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                used = status.st_mtime if path.suffix == _SUFFIX else 0.0
                found.append((used, status.st_size, path))
        return found
