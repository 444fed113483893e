# SPDX-License-Identifier: Apache-2.0
"""Files on their way in: names and chunks become files in a bounded temporary folder.

Looks at no content; a name is kept only as a harmless base name.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tabard_registry.scratch import Scratch
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.limits import Limits

T = TypeVar("T")

_NAME_CHARS_MAX = 100


class Uploads:
    """Gives each upload a folder. Asyncio thread."""

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits

    @contextmanager
    def one(self) -> Iterator["Upload"]:
        """Begin an upload; its files are gone after the block."""
        with (
            Scratch("upload") as scratch,
            Upload(scratch.path, limits=self._limits) as upload,
        ):
            yield upload


class Upload:
    """The files of one upload, written one after another."""

    def __init__(self, folder: Path, *, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._files: list[Path] = []
        self._open: BinaryIO | None = None
        self._file_bytes_left = 0
        self._bytes = 0

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._open is not None:
            self._open.close()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files so far, in order."""
        return tuple(self._files)

    def begin_file(self, name: str, *, bytes_total: int) -> None:
        """Begin the next file.

        Raises:
            InvalidRequest: The file before is not whole, or the upload is too large.
        """
        self._end_file()
        if len(self._files) >= self._limits.upload_files_max:
            raise self._too_large(f"more than {self._limits.upload_files_max} files")
        if self._bytes + bytes_total > self._limits.upload_bytes_max:
            raise self._too_large(f"{self._bytes + bytes_total} bytes are announced")
        place = self._folder / str(len(self._files))
        place.mkdir()
        path = place / _harmless(name)
        self._files.append(path)
        self._open = path.open("xb")
        self._file_bytes_left = bytes_total

    async def write(self, chunk: bytes) -> None:
        """Write the next bytes of the file that was begun.

        Raises:
            InvalidRequest: None was, there are more bytes than announced, or the chunk is so small
                that its message costs more than its bytes.
        """
        if self._open is None:
            raise broken("a chunk comes before the start of its file")
        if len(chunk) < min(self._limits.upload_chunk_bytes_min, self._file_bytes_left or 1):
            raise broken(
                f"a chunk has {len(chunk)} bytes, and at least "
                f"{self._limits.upload_chunk_bytes_min} but for the last one of a file "
                "(limits.upload_chunk_bytes_min)"
            )
        if len(chunk) > self._file_bytes_left:
            raise broken("a file has more bytes than announced")
        self._file_bytes_left -= len(chunk)
        self._bytes += len(chunk)
        await asyncio.to_thread(self._open.write, chunk)

    def end(self) -> None:
        """End the last file.

        Raises:
            InvalidRequest: It is not whole, or there is none.
        """
        self._end_file()
        if not self._files:
            raise invalid(
                "file", "no file was sent", reason="UPLOAD_EMPTY", hint="send at least one file"
            )

    async def use(self, work: Coroutine[Any, Any, T]) -> T:
        """Let work on the files end before they are removed, even when the caller leaves."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _end_file(self) -> None:
        if self._open is None:
            return
        self._open.close()
        self._open = None
        if self._file_bytes_left:
            raise invalid(
                "file",
                f"{self._files[-1].name} ends {self._file_bytes_left} bytes too early",
                reason="UPLOAD_INCOMPLETE",
                hint="send the file again",
            )

    def _too_large(self, what: str) -> InvalidRequest:
        return invalid(
            "file",
            f"the upload is too large: {what}",
            reason="UPLOAD_TOO_LARGE",
            hint=f"at most {self._limits.upload_bytes_max} bytes in "
            f"{self._limits.upload_files_max} files (limits.upload_bytes_max)",
        )


def broken(what: str) -> InvalidRequest:
    """Say that an upload is not in order."""
    return invalid(
        "part",
        what,
        reason="UPLOAD_BROKEN",
        hint="send the draft, then for each file its start and its chunks",
    )


def _harmless(name: str) -> str:
    """Keep the last part of a path, with plain characters only."""
    base = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", base).lstrip(".")[-_NAME_CHARS_MAX:]
    return plain or "file"
