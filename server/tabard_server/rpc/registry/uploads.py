# SPDX-License-Identifier: Apache-2.0
"""Files on their way in: a stream of parts becomes files in a bounded temporary folder.

In: the messages of Publish or Check. Out: the draft and the files. Looks at no content; a name is
kept only as a harmless base name.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tabard.v1 import registry_service_pb2
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.limits import Limits

_NAME_CHARS_MAX = 100

Part = registry_service_pb2.PublishRequest | registry_service_pb2.CheckRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What arrived.

    Attributes:
        draft: What the author says; empty when the stream had no draft.
        files: The files, in order.
    """

    draft: registry_service_pb2.ReleaseDraft
    files: tuple[Path, ...]


async def receive(parts: AsyncIterator[Part], *, folder: Path, limits: Limits) -> Upload:
    """Read a stream to its end.

    Args:
        parts: The messages: a draft, then per file its start and its chunks.
        folder: An empty folder; the caller removes it.
        limits: Files and bytes of one upload.

    Raises:
        InvalidRequest: Parts are missing or out of order, or the upload is too large.
    """
    receiver = _Receiver(folder, limits=limits)
    try:
        async for part in parts:
            await receiver.take(part)
        return receiver.end()
    finally:
        receiver.close()


class _Receiver:
    def __init__(self, folder: Path, *, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._draft: registry_service_pb2.ReleaseDraft | None = None
        self._files: list[Path] = []
        self._open: BinaryIO | None = None
        self._file_bytes_left = 0
        self._bytes = 0

    async def take(self, part: Part) -> None:
        match part.WhichOneof("part"):
            case "draft":
                self._take_draft(part.draft)
            case "file":
                self._take_start(part.file)
            case "chunk":
                await self._take_chunk(part.chunk)
            case _:
                raise _broken("a message has neither draft, file nor chunk")

    def end(self) -> Upload:
        self._end_file()
        if not self._files:
            raise invalid(
                "file", "no file was sent", reason="UPLOAD_EMPTY", hint="send at least one file"
            )
        return Upload(
            draft=self._draft or registry_service_pb2.ReleaseDraft(), files=tuple(self._files)
        )

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _take_draft(self, draft: registry_service_pb2.ReleaseDraft) -> None:
        if self._draft is not None or self._files:
            raise _broken("the draft comes once, before the files")
        self._draft = draft

    def _take_start(self, start: registry_service_pb2.FileStart) -> None:
        self._end_file()
        if len(self._files) >= self._limits.upload_files_max:
            raise self._too_large(f"more than {self._limits.upload_files_max} files")
        if self._bytes + start.bytes_total > self._limits.upload_bytes_max:
            raise self._too_large(f"{self._bytes + start.bytes_total} bytes are announced")
        place = self._folder / str(len(self._files))
        place.mkdir()
        path = place / _harmless(start.name)
        self._files.append(path)
        self._open = path.open("xb")
        self._file_bytes_left = start.bytes_total

    async def _take_chunk(self, chunk: bytes) -> None:
        if self._open is None:
            raise _broken("a chunk comes before the start of its file")
        if len(chunk) > self._file_bytes_left:
            raise _broken("a file has more bytes than announced")
        self._file_bytes_left -= len(chunk)
        self._bytes += len(chunk)
        await asyncio.to_thread(self._open.write, chunk)

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


def _broken(what: str) -> InvalidRequest:
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
