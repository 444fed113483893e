# SPDX-License-Identifier: Apache-2.0
"""Folders for files that nobody shall find later, whatever ends the process that made them.

Each is locked for as long as it is used. The system lets go of the lock when its process dies, so
what nobody holds was left by a killed one, and can be removed at once. Knows nothing of contents.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_PREFIX = "tabard-scratch-"


class Scratch:
    """A locked folder; gone once it is closed. Use it with `with`, or close it.

    Attributes:
        path: The folder.
    """

    def __init__(self, purpose: str, *, parent: Path | None = None) -> None:
        """Make the folder, for this user alone.

        Args:
            purpose: What it is for, in its name.
            parent: Where; None: where temporary files are.

        Raises:
            OSError: It cannot be made.
        """
        self.path, self._lock = _make(f"{_PREFIX}{purpose}-", parent=parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and what is in it. Idempotent."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            # What cannot be removed is found once more when it is not locked any longer.
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def remove_abandoned(parent: Path | None = None) -> list[Path]:
    """Remove the folders whose process is gone, and return them. Never raises; any thread.

    Args:
        parent: Where they were made; None: where temporary files are.
    """
    parent = parent or Path(tempfile.gettempdir())
    return [folder for folder in _found(parent) if _remove_if_abandoned(folder)]


def _make(prefix: str, *, parent: Path | None) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            lock = _open(folder)
            # Somebody who cleans may have taken it for abandoned before it was locked.
            if _has_locked(lock) and os.path.samestat(os.fstat(lock), folder.stat()):
                return folder, lock
            os.close(lock)


def _found(parent: Path) -> Iterator[Path]:
    try:
        entries = sorted(parent.glob(f"{_PREFIX}*"))
    except OSError:
        return
    for path in entries:
        with contextlib.suppress(OSError):
            if path.lstat().st_uid == os.geteuid():
                yield path


def _remove_if_abandoned(folder: Path) -> bool:
    try:
        lock = _open(folder)
    except OSError:
        return False
    try:
        if not _has_locked(lock, without_locks=False):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    finally:
        os.close(lock)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _has_locked(descriptor: int, *, without_locks: bool = True) -> bool:
    """Lock a folder; False when another has it. Some file systems have no locks.

    There a folder is used without one, and never taken for abandoned.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True
