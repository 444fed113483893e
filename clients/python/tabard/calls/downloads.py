# SPDX-License-Identifier: Apache-2.0
"""The verb that receives files, pull: a release, then each file in bounded chunks.

Nothing that a server says is believed: a name is only the last part of a path, and a file appears
whole and with the digest that it was announced with, or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tabard.calls.call import Call, Caller
from tabard.calls.local_files import writing
from tabard.calls.uploads import UPLOAD_TIMEOUT_SECONDS
from tabard.convert import read_release
from tabard.enums import FileFormat, member_number
from tabard.errors import AlreadyExists, Internal
from tabard.releases.pulled import Pulled, PulledFile
from tabard.releases.release import Release
from tabard.v1 import registry_service_pb2 as pb

_NAME_BYTES_MAX = 200
_FILES_MAX = 64
_BYTES_MAX = 16 << 30
"""Most bytes of one release: far above what a server takes for one."""
_UNKNOWN_MAX = 64
"""Most messages of a newer server that are passed over."""


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
            (FORMAT_CANNOT_HOLD), or the folder cannot be written (FOLDER_UNWRITABLE).
        Internal: What came is not what was announced (DOWNLOAD_DAMAGED).
    """
    del caller
    number = member_number(
        pb.FileFormat.DESCRIPTOR, file_format, what="format", field="file_format"
    )
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
        self._files: list[_File] = []
        self._announced_bytes = self._unknown = 0

    def take(self, part: pb.FetchResponse) -> None:
        """Take one message."""
        kind = part.WhichOneof("part")
        if kind == "release":
            if self._release is not None:
                raise _damaged("the server named two releases")
            self._release = read_release(part.release)
        elif kind == "file":
            self._end_file()
            self._begin(part.file)
        elif kind == "chunk":
            self._write(part.chunk)
        else:
            self._unknown += 1
            if self._unknown > _UNKNOWN_MAX:
                raise _damaged("the server sends what this SDK does not know, without end")

    def end(self) -> Pulled:
        """Give what came, when all of it did."""
        self._end_file()
        if self._release is None or not self._files:
            raise _damaged("the server sent no file")
        with _writing(self._folder):
            for file in self._files:
                refuse_other_file(file.target, digest=file.digest, overwrite=self._overwrite)
            for file in self._files:
                file.appear()
        return Pulled(release=self._release, files=tuple(file.pulled for file in self._files))

    def close(self) -> None:
        """Remove what is not whole. Idempotent."""
        for file in self._files:
            file.discard()

    def _begin(self, start: pb.FetchedFile) -> None:
        name = _own_name(start.name)
        if name in ("", *(file.target.name for file in self._files)) or not name.isprintable():
            raise _damaged(f"impossible file {start.name[:80]!r}")
        self._announced_bytes += start.bytes_total
        if len(self._files) >= _FILES_MAX or self._announced_bytes > _BYTES_MAX:
            raise _damaged("the server announced more than a release can have")
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            target = self._folder / name
            refuse_other_file(target, digest=start.digest, overwrite=self._overwrite)
            self._files.append(_File(target, start=start))

    def _write(self, chunk: bytes) -> None:
        if not self._files or not chunk:
            raise _damaged("bytes came before the name of their file, or none")
        file = self._files[-1]
        with _writing(self._folder):
            file.write(chunk)
        if self._on_progress is not None:
            progress = PullProgress(
                name=file.name,
                received_bytes=file.received_bytes,
                total_bytes=file.total_bytes,
            )
            self._on_progress(progress)

    def _end_file(self) -> None:
        if self._files:
            with _writing(self._folder):
                self._files[-1].end()


class _File:
    """One file on its way: under a name of its own beside the target, until it is whole."""

    def __init__(self, target: Path, *, start: pb.FetchedFile) -> None:
        self.target = target
        self.name = start.name
        self.digest = start.digest
        self.total_bytes = start.bytes_total
        self.received_bytes = 0
        self._hasher = hashlib.sha256()
        self._partial = target.with_name(f".{target.name}.part")
        # Whatever lies there goes, and nothing is followed: it may be a link that others laid.
        self._partial.unlink(missing_ok=True)
        self._stream = self._partial.open("xb")
        self._own = os.fstat(self._stream.fileno())

    @property
    def pulled(self) -> PulledFile:
        """What people are told of it."""
        return PulledFile(path=str(self.target), digest=self.digest, size_bytes=self.received_bytes)

    def write(self, chunk: bytes) -> None:
        """Take bytes, up to those that were announced."""
        self.received_bytes += len(chunk)
        if self.received_bytes > self.total_bytes:
            raise _damaged(f"{self.name[:80]!r} is longer than announced")
        self._stream.write(chunk)
        self._hasher.update(chunk)

    def end(self) -> None:
        """Write what is left, and see that it is what was announced. Idempotent."""
        digest = f"sha256:{self._hasher.hexdigest()}"
        if digest != self.digest or self.received_bytes != self.total_bytes:
            raise _damaged(f"{self.name[:80]!r} came damaged or not whole")
        self._stream.flush()

    def appear(self) -> None:
        """Take the name of the target; only with the very file whose bytes were seen."""
        if not self._is_own():
            raise _damaged(f"somebody else wrote to {self._partial} meanwhile")
        self._partial.replace(self.target)

    def discard(self) -> None:
        """Close it, and remove it if it did not appear. Never raises."""
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            if self._is_own():
                self._partial.unlink()

    def _is_own(self) -> bool:
        return os.path.samestat(self._own, self._partial.lstat())


def _own_name(announced: str) -> str:
    """Give the last part of a path, of any system, as the name of a visible file that fits."""
    last = re.split(r"[/\\:]", announced)[-1].strip()
    return last.encode(errors="ignore")[-_NAME_BYTES_MAX:].decode(errors="ignore").lstrip(".")


def _writing(folder: Path) -> AbstractContextManager[None]:
    return writing(folder, hint="name another folder; nothing of what came is left in this one")


def refuse_other_file(target: Path, *, digest: str, overwrite: bool = False) -> None:
    """Refuse a place where something else lies already.

    Args:
        target: The place.
        digest: Of the bytes that shall lie there.
        overwrite: Refuse a folder only, which no file can replace.

    Raises:
        AlreadyExists: It holds other bytes than those of the digest, or is no file.
    """
    is_link = target.is_symlink()
    if not is_link and not target.exists():
        return
    if overwrite and (is_link or not target.is_dir()):
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
