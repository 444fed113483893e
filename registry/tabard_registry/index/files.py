# SPDX-License-Identifier: Apache-2.0
"""The file of the index: several processes open it, one at a time writes it or puts another there.

A file is built beside its name and then renamed, so it is whole or missing. Whoever has the old one
open goes on reading it, and SQLite refuses to let them write it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from tabard_registry.index.tables import SCHEMA, Tables

LOCK_SECONDS_MAX = 120.0
"""How long to wait for another process; about as long as building the largest index oneself."""

_LOCK_POLL_SECONDS = 0.05
_BUSY_SECONDS_MAX = 2.0
_ID_CHARS = 16


class IndexFile:
    """One file in a folder that processes share. One thread at a time."""

    def __init__(self, folder: Path, *, registry_id: str, lock_seconds_max: float) -> None:
        name = hashlib.sha256(registry_id.encode("utf-8", "replace")).hexdigest()[:_ID_CHARS]
        self._folder = folder
        self._stem = f"index-{name}-{SCHEMA}"
        self._lock_seconds_max = lock_seconds_max
        self._path = folder / f"{self._stem}.sqlite"
        self._node: tuple[int, int] | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile; they may read.

        Raises:
            OSError: The folder cannot be written, or another process holds it too long.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self._stem}.lock").open("a") as file:
            self._take(file.fileno())
            yield

    def is_moved(self) -> bool:
        """Whether the name stands for another file than the one that was opened."""
        return self._node is None or self._node != _node_of(self._path)

    def open(self) -> Tables:
        """Open the file that is there; only while it is held.

        Raises:
            sqlite3.Error: There is none, or it is not SQLite's.
        """
        self._node = _node_of(self._path)
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS_MAX,
            isolation_level=None,
            check_same_thread=False,
        )
        return Tables(connection)

    def replace(self, fill: Callable[[Tables], None]) -> Tables:
        """Build another file, put it there, and open it; only while it is held.

        Raises:
            OSError, sqlite3.Error: There is no room, or the folder cannot be written.
        """
        for left in self._folder.glob(f"{self._stem}.*.new*"):
            left.unlink(missing_ok=True)
        built = self._folder / f"{self._stem}.{secrets.token_hex(8)}.new"
        try:
            _build(built, fill)
            # In this order: a journal of the old file must never meet the new one.
            self._path.unlink(missing_ok=True)
            self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
            built.rename(self._path)
        finally:
            built.unlink(missing_ok=True)
        return self.open()

    def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._lock_seconds_max
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_LOCK_POLL_SECONDS)


def open_private() -> Tables:
    """Open an empty file of nobody else's, which SQLite keeps in memory while it is small."""
    return Tables(sqlite3.connect("", isolation_level=None, check_same_thread=False))


def _build(path: Path, fill: Callable[[Tables], None]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    tables = Tables(connection)
    try:
        # Nobody sees the file before it is whole, so it needs no journal.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        fill(tables)
    finally:
        tables.close()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _node_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
