# SPDX-License-Identifier: Apache-2.0
"""A store in a local folder: objects are files, made by link or rename, so never half visible.

Several processes may use one folder at once. Durable: file and folder are synced before a write
is acknowledged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tabard_registry.errors import (
    RESTORE_BLOB,
    CorruptRegistry,
    NotFound,
    StoreUnavailable,
    restore_object,
)
from tabard_registry.regular_file import open_regular
from tabard_registry.store.store import BRING_BACK, FORMAT_KEY, TRY_AGAIN, Outcome, StoredObject

TEMP_FOLDER = "tmp"
"""Where files lie until they are complete."""
TEMP_AGE_SECONDS_MAX = 24 * 3600
"""Leftovers of killed writers are removed when they are older."""

_CHUNK_BYTES = 1 << 20
_CHECK = "Check that the folder exists, is writable, and has space left."
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)

_PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EHOSTDOWN, errno.ENOLINK)
"""What a network folder says while its server is away, or when a handle outlived it."""


class FolderStore:
    """Implements `Store` on a folder; the folder is made on the first write.

    Once a registry was seen there, nothing is written after it is gone: a folder that was moved,
    or is not mounted, is never made anew.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._was_registry = False

    @property
    def url(self) -> str:
        """`file:///…` of the folder."""
        return self._root.as_uri()

    @property
    def needs_doctor(self) -> bool:
        """No: a file system makes a name once."""
        return False

    @property
    def is_swept_when_opened(self) -> bool:
        """Yes: one folder is listed."""
        return True

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Write a temporary file, then link it to its name: linking fails if the name exists."""
        target = self._path(key)
        try:
            self._make_folder(target.parent)
            temp = self._write_temp([body])
        except OSError as error:
            raise self._unavailable(error, key=key) from error
        try:
            return self._link(temp, target=target)
        finally:
            _remove(temp)

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Read one file."""
        try:
            with open_regular(self._path(key)) as file:
                content = file.read(bytes_max + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unavailable(error, key=key) from error
        self._was_registry |= key == FORMAT_KEY
        if len(content) > bytes_max:
            raise CorruptRegistry(
                f"{key} is larger than {bytes_max} bytes",
                reason="CORRUPT_RECORD",
                hint=restore_object(key),
            )
        return content

    def read_many(self, keys: Sequence[str], *, bytes_max: int) -> list[bytes | None]:
        """Read one file after the other: threads would not make a local disk faster."""
        return [self.read(key, bytes_max=bytes_max) for key in keys]

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Write a temporary file, then rename it to its name."""
        if self.size_bytes(key) is None:
            self._rename_into_place(key, chunks=chunks)

    def replace(self, key: str, *, body: bytes) -> None:
        """Write a temporary file, then rename it over its name."""
        self._rename_into_place(key, chunks=[body])

    def delete(self, key: str) -> None:
        """Remove the file; its folder stays."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)
        except NotADirectoryError:
            return
        except OSError as error:
            raise self._unavailable(error, key=key) from error

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Walk the folder in the order of the keys; ages are by the file system's own clock."""
        folder = self._path(prefix).parent if "/" in prefix else self._root
        if prefix.endswith("/"):
            folder = self._path(prefix)
        try:
            now = self._now() if folder.is_dir() else 0.0
            for path in _walk(folder):
                key = path.relative_to(self._root).as_posix()
                if not key.startswith(prefix) or key.startswith(f"{TEMP_FOLDER}/"):
                    continue
                with contextlib.suppress(FileNotFoundError):  # deleted while we list
                    status = path.stat()
                    age = max(0.0, now - status.st_mtime)
                    yield StoredObject(key=key, size_bytes=status.st_size, age_seconds=age)
        except OSError as error:
            raise self._unavailable(error, key=prefix) from error

    def size_bytes(self, key: str) -> int | None:
        """Ask the file system."""
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unavailable(error, key=key) from error

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read the file in chunks of at most one MiB."""
        left = length
        try:
            with open_regular(self._path(key)) as file:
                file.seek(start)
                while chunk := file.read(_CHUNK_BYTES if left is None else min(_CHUNK_BYTES, left)):
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise NotFound(
                f"{key} is not in {self.url}",
                reason="BLOB_NOT_FOUND",
                hint=RESTORE_BLOB,
            ) from error
        except OSError as error:
            raise self._unavailable(error, key=key) from error

    def local_path(self, key: str) -> Path | None:
        """Return the file itself."""
        path = self._path(key)
        try:
            return path if path.is_file() else None
        except OSError as error:
            raise self._unavailable(error, key=key) from error

    def top_level(self) -> frozenset[str]:
        """List the folder; it may not exist yet."""
        try:
            return frozenset(path.name for path in self._root.iterdir())
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise self._unavailable(error, key="") from error

    def sweep(self) -> int:
        """Remove what killed writers left behind longer than a day ago; return how many files."""
        count = 0
        oldest = time.time() - TEMP_AGE_SECONDS_MAX
        folder = self._root / TEMP_FOLDER
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    count += 1
        return count

    def _path(self, key: str) -> Path:
        assert ".." not in key.split("/") and not key.startswith("/"), key
        return self._root / key

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the root; the root too, unless it is a registry's that is gone."""
        if self._is_gone():
            raise FileNotFoundError(errno.ENOENT, "the registry that was there is gone")
        _make_folder(folder, below=self._root.parent if self._was_registry else None)

    def _is_gone(self) -> bool:
        return self._was_registry and not (self._root / FORMAT_KEY).is_file()

    def _rename_into_place(self, key: str, *, chunks: Iterable[bytes]) -> None:
        target = self._path(key)
        try:
            self._make_folder(target.parent)
            temp = self._write_temp(chunks)
            try:
                temp.replace(target)
            finally:
                _remove(temp)
            _sync_folder(target.parent)
        except OSError as error:
            raise self._unavailable(error, key=key) from error

    def _now(self) -> float:
        # On a network folder the server stamps files; only a file written now tells its time.
        try:
            temp = self._write_temp([])
            try:
                return temp.stat().st_mtime
            finally:
                _remove(temp)
        except OSError:  # a folder that we may only read
            return time.time()

    def _write_temp(self, chunks: Iterable[bytes]) -> Path:
        folder = self._root / TEMP_FOLDER
        self._make_folder(folder)
        temp = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with temp.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            _remove(temp)
            raise
        return temp

    def _link(self, temp: Path, *, target: Path) -> Outcome:
        try:
            os.link(temp, target)
        except FileExistsError:
            outcome = Outcome.OCCUPIED
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise self._unavailable(
                    error, key=target.name, hint="The file system must allow hard links."
                ) from error
            return Outcome.UNKNOWN
        else:
            outcome = Outcome.CREATED
            self._was_registry |= target == self._root / FORMAT_KEY
        try:
            # An occupied name is synced too: it may be our own, from a try that was interrupted.
            _sync_folder(target.parent)
        except OSError:
            return Outcome.UNKNOWN
        return outcome

    def _unavailable(self, error: OSError, *, key: str, hint: str = "") -> StoreUnavailable:
        if isinstance(error, FileNotFoundError) and self._is_gone():
            return StoreUnavailable(
                f"{self.url} no longer holds the {FORMAT_KEY} that was read there before",
                reason="REGISTRY_MISSING",
                hint=BRING_BACK,
            )
        return StoreUnavailable(
            f"{self.url}: {key or 'the folder'}: {error.strerror or error}",
            reason="STORE_UNAVAILABLE",
            hint=hint or (TRY_AGAIN if error.errno in _PASSING else _CHECK),
        )


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their keys; each folder once, links or not."""
    been: set[tuple[int, int]] = set()
    waiting = [(True, folder)]
    while waiting:
        is_folder, path = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            found = path.stat()
            entries = [(_is_folder(entry), entry) for entry in path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        if (found.st_dev, found.st_ino) not in been:
            been.add((found.st_dev, found.st_ino))
            # The order of whole keys: a folder sorts as its name and the slash after it.
            entries.sort(key=lambda e: e[1].name + ("/" if e[0] else ""), reverse=True)
            waiting += entries


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link that leads to itself, a path that is too long
        return False


def _make_folder(folder: Path, *, below: Path | None) -> None:
    """Make a folder and those above it, but none that is not `below` the one given."""
    if folder.is_dir():
        return
    if folder.parent == below:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    _make_folder(folder.parent, below=below)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
