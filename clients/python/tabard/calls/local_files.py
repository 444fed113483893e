# SPDX-License-Identifier: Apache-2.0
"""Reads files of others on this machine, of which nothing is believed but their size at the start.

In: a path. Out: the bytes that it had when it was opened, or an `OSError`. What is no regular file
is never waited for, and what grows is not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabard.errors import FailedPrecondition, InvalidArgument

CHUNK_BYTES = 1024 * 1024


class LocalFile:
    """A regular file, opened; use it with `with`.

    Attributes:
        size_bytes: Its size when it was opened; a file of a kernel's own has none.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: It is not there, may not be read, or is no regular file.
        """
        # First without opening it, which alone makes some devices do something.
        _refuse_others(path.stat())
        # It may have become a pipe since, which would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._stream = os.fdopen(descriptor, "rb")
        try:
            found = os.fstat(self._stream.fileno())
            _refuse_others(found)
        except OSError:
            self._stream.close()
            raise
        self.size_bytes = found.st_size

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    def read(self, size_bytes: int) -> bytes:
        """Read bytes that it had when it was opened.

        Raises:
            OSError: It cannot be read.
        """
        return self._stream.read(size_bytes) or b""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes that it had when it was opened, in bounded chunks.

        Raises:
            OSError: It cannot be read, or became shorter.
        """
        left = self.size_bytes
        while left:
            chunk = self.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise OSError(errno.EIO, "it became shorter while it was read")
            left -= len(chunk)
            yield chunk


def first_bytes(path: Path, *, bytes_max: int) -> bytes:
    """Give a file's first bytes, all of them if there are no more.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    with LocalFile(path) as file:
        return file.read(min(bytes_max, file.size_bytes))


def unreadable(path: Path, error: OSError) -> InvalidArgument:
    """Give the error of a file that cannot be read."""
    return InvalidArgument(
        f"the file '{text_of(path)}' cannot be read: {error.strerror or error}",
        reason="FILE_UNREADABLE",
        hint="check its name, what its links lead to, and who may read it",
    )


@contextmanager
def writing(path: Path, *, hint: str) -> Iterator[None]:
    """Say in a sentence of our own why a place that somebody named cannot be written.

    Raises:
        FailedPrecondition: It cannot (FOLDER_UNWRITABLE).
    """
    try:
        yield
    except OSError as error:
        raise FailedPrecondition(
            f"{text_of(path)} cannot be written: {error.strerror or error}",
            reason="FOLDER_UNWRITABLE",
            hint=hint,
        ) from error


def text_of(path: Path) -> str:
    """Give a path as text: it may hold bytes that neither a message nor a screen can."""
    return str(path).encode(errors="replace").decode()


def _refuse_others(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
