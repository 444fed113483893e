# SPDX-License-Identifier: Apache-2.0
"""The verb that receives files, pull: a release, then each file in bounded chunks.

Nothing that a server says is believed: a name is only the last part of a path, and a file appears
whole and with the digest that it was announced with, or not at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tabard.calls.call import Call, Caller
from tabard.calls.uploads import UPLOAD_TIMEOUT_SECONDS
from tabard.convert import read_release
from tabard.enums import FileFormat, member_number
from tabard.errors import AlreadyExists, Internal
from tabard.releases.pulled import Pulled, PulledFile
from tabard.releases.release import Release
from tabard.v1 import registry_service_pb2 as pb

_NAME_CHARS_MAX = 120
_FILES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """Bytes of one file that came so far."""

    name: str
    received_bytes: int
    total_bytes: int


OnPull = Callable[[PullProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One RPC that streams files, and where they land; `landing()` starts anew each time."""

    call: Call[pb.FetchResponse]
    landing: Callable[[], AbstractContextManager[Landing]] = field(repr=False)


def pull(
    caller: Caller,
    ref: str,
    *,
    out: str | Path = ".",
    file_format: FileFormat = "original",
    overwrite: bool = False,
    on_progress: OnPull | None = None,
    timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
) -> Download:
    """Fetch the files of a release into a folder, verified: all of them, or none.

    Args:
        caller: Filled in by the client.
        ref: The release; a withdrawn one is given, too, as long as its bytes are there.
        out: The folder; made if it is not there.
        file_format: `original` for the published bytes, `canonical` for what is served, `kohya`
            or `diffusers` for a file that other programs load.
        overwrite: Replace files of the same names that hold something else.
        on_progress: Told after every chunk.
        timeout_seconds: Deadline of the whole download.

    Raises:
        NotFound: No such release.
        AlreadyExists: A file of that name holds something else (FILE_EXISTS).
        FailedPrecondition: It was purged (RELEASE_PURGED), or the format cannot hold it
            (FORMAT_CANNOT_HOLD).
        Internal: What came is not what was announced (DOWNLOAD_DAMAGED).
    """
    del caller
    number = member_number(pb.FileFormat.DESCRIPTOR, file_format, what="format")
    call = Call(
        request=pb.FetchRequest(ref=ref, format=number),
        read=lambda response: response,
        timeout_seconds=timeout_seconds,
    )
    return Download(
        call=call,
        landing=lambda: landing(Path(out), overwrite=overwrite, on_progress=on_progress),
    )


@contextmanager
def landing(
    folder: Path, *, overwrite: bool = False, on_progress: OnPull | None = None
) -> Iterator[Landing]:
    """Give a place where files land; what is not whole at the end of the block is removed."""
    made = Landing(folder, overwrite=overwrite, on_progress=on_progress)
    try:
        yield made
    finally:
        made.close()


class Landing:
    """Takes the parts of a download, in order."""

    def __init__(self, folder: Path, *, overwrite: bool, on_progress: OnPull | None) -> None:
        self._folder = folder
        self._overwrite = overwrite
        self._on_progress = on_progress
        self._release: Release | None = None
        self._files: list[PulledFile] = []
        self._whole: list[tuple[Path, Path]] = []
        self._start: pb.FetchedFile | None = None
        self._open: BinaryIO | None = None
        self._target = self._partial = folder
        self._hasher = hashlib.sha256()
        self._received_bytes = 0

    def take(self, part: pb.FetchResponse) -> None:
        """Take one message."""
        kind = part.WhichOneof("part")
        if kind == "release":
            self._release = read_release(part.release)
        elif kind == "file":
            self._end_file()
            self._begin(part.file)
        elif kind == "chunk":
            self._write(part.chunk)

    def end(self) -> Pulled:
        """Give what came, when all of it did."""
        self._end_file()
        if self._release is None or not self._files:
            raise _damaged("the server sent no file")
        while self._whole:
            partial, target = self._whole.pop(0)
            partial.replace(target)
        return Pulled(release=self._release, files=tuple(self._files))

    def close(self) -> None:
        """Remove what is not whole. Idempotent."""
        if self._open is not None:
            self._open.close()
            self._open = None
            self._partial.unlink(missing_ok=True)
        for partial, _target in self._whole:
            partial.unlink(missing_ok=True)
        self._whole.clear()

    def _begin(self, start: pb.FetchedFile) -> None:
        name = re.split(r"[/\\]", start.name)[-1].lstrip(".")[-_NAME_CHARS_MAX:]
        if not name.isprintable() or not name or len(self._files) >= _FILES_MAX:
            raise _damaged(f"impossible file {start.name[:80]!r}")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._start, self._target = start, self._folder / name
        if not self._overwrite:
            refuse_other_file(self._target, digest=start.digest)
        self._partial = self._folder / f".{name}.part"
        # Whatever lies there goes, and nothing is followed: it may be a link that others laid.
        self._partial.unlink(missing_ok=True)
        self._open = self._partial.open("xb")
        self._hasher, self._received_bytes = hashlib.sha256(), 0

    def _write(self, chunk: bytes) -> None:
        if self._open is None or self._start is None:
            raise _damaged("bytes came before the name of their file")
        self._received_bytes += len(chunk)
        if self._received_bytes > self._start.bytes_total:
            raise _damaged(f"{self._start.name[:80]!r} is longer than announced")
        self._open.write(chunk)
        self._hasher.update(chunk)
        if self._on_progress is not None:
            self._on_progress(
                PullProgress(
                    name=self._start.name,
                    received_bytes=self._received_bytes,
                    total_bytes=self._start.bytes_total,
                )
            )

    def _end_file(self) -> None:
        if self._open is None or self._start is None:
            return
        digest = f"sha256:{self._hasher.hexdigest()}"
        if digest != self._start.digest or self._received_bytes != self._start.bytes_total:
            raise _damaged(f"{self._start.name[:80]!r} came damaged or not whole")
        self._open.close()
        self._open = None
        self._whole.append((self._partial, self._target))
        self._files.append(
            PulledFile(path=str(self._target), digest=digest, size_bytes=self._received_bytes)
        )


def refuse_other_file(target: Path, *, digest: str) -> None:
    """Refuse a place where something else lies already.

    Raises:
        AlreadyExists: It holds other bytes than those of the digest, or is no file.
    """
    if not target.is_symlink() and not target.exists():
        return
    if target.is_file():
        with target.open("rb") as stream:
            if f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}" == digest:
                return
    raise AlreadyExists(
        f"{target} holds something else, and is not overwritten",
        reason="FILE_EXISTS",
        hint="name another folder, or add --force (`overwrite=True`) to replace it",
    )


def _damaged(what: str) -> Internal:
    return Internal(what, reason="DOWNLOAD_DAMAGED", hint="pull it again")
