# SPDX-License-Identifier: Apache-2.0
"""The folder where one server keeps detached jobs: a folder each, safe from crashes.

In: records, requests and images. Out: the same after any restart. A file appears whole or not at
all, and is on the disk when a call returns. Blocks; any thread, one at a time for each job.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tabard_server.detached.record import JobRecord
from tabard_server.errors import BadSettings, JobNotKept
from tabard_server.telemetry.logs import log_problem

_RECORD = "job.json"
_REQUEST = "request"
_LOCK = "lock"
_TEMPORARY = ".new"
_JOB_ID = re.compile(r"[0-9a-f]{8,64}")


class JobFolder:
    """Detached jobs on disk. One server has it at a time."""

    def __init__(self, root: Path, *, is_required: bool = True) -> None:
        """Take the folder; nothing is touched before `open`.

        Without one that is not required a server starts, and refuses detached jobs.
        """
        self._root = root
        self._is_required = is_required
        self._lock: int | None = None

    def open(self) -> list[JobRecord]:
        """Take the folder for this server, and return what is in it.

        Raises:
            BadSettings: Another server has it, or it is required and cannot be had.
        """
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if not (self._is_required or isinstance(error, BlockingIOError)):
                log_problem("jobs.not_kept", folder=str(self._root), message=str(error))
                return []
            raise BadSettings(
                f"the folder of jobs {self._root} cannot be had: {error.strerror}",
                names=("jobs.folder",),
                hint="another server may have it: give each its own (jobs.folder)",
            ) from error
        return list(self._read_all())

    def close(self) -> None:
        """Let other servers have it. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin(self, record: JobRecord, *, request: bytes) -> None:
        """Keep a job that was accepted, and its request.

        Raises:
            JobNotKept: The disk does not take it.
        """
        folder = self._folder(record.id)
        is_new = not (folder / _RECORD).exists()
        try:
            with _disk_errors():
                folder.mkdir(exist_ok=True, mode=0o700)
                _write(folder / _REQUEST, request)
                _write(folder / _RECORD, record.write())
                _sync(self._root)
        except JobNotKept:
            # A disk that is full has no room for what was refused.
            if is_new:
                self.remove(record.id)
            raise

    def update(self, record: JobRecord) -> None:
        """Keep what became of a job. Raises as `begin`."""
        with _disk_errors():
            _write(self._folder(record.id) / _RECORD, record.write())

    def put_image(self, job: str, *, index: int, content: bytes, provenance: str) -> None:
        """Keep an image and its provenance. Raises as `begin`."""
        with _disk_errors():
            folder = self._folder(job)
            _write(folder / f"{index}.json", provenance.encode())
            _write(folder / f"{index}", content)

    def request(self, job: str) -> bytes:
        """Return the request of a job. Raises as `begin`."""
        with _disk_errors():
            return (self._folder(job) / _REQUEST).read_bytes()

    def image(self, job: str, *, index: int) -> tuple[bytes, str]:
        """Return an image and its provenance. Raises as `begin`."""
        with _disk_errors():
            folder = self._folder(job)
            return (folder / f"{index}").read_bytes(), (folder / f"{index}.json").read_text()

    def remove_image(self, job: str, *, index: int) -> None:
        """Keep an image no longer. Idempotent."""
        for name in (f"{index}", f"{index}.json"):
            with contextlib.suppress(OSError):
                (self._folder(job) / name).unlink()

    def remove(self, job: str) -> None:
        """Keep nothing of a job. Idempotent."""
        folder = self._folder(job)
        # Without its record it is no job, whatever of the rest a crash leaves behind.
        with contextlib.suppress(OSError):
            (folder / _RECORD).unlink()
        shutil.rmtree(folder, ignore_errors=True)

    def _read_all(self) -> Iterator[JobRecord]:
        for folder in sorted(self._root.iterdir()):
            if not _JOB_ID.fullmatch(folder.name) or not folder.is_dir():
                continue
            for left in folder.glob(f"*{_TEMPORARY}"):
                left.unlink(missing_ok=True)
            try:
                record = JobRecord.read((folder / _RECORD).read_bytes())
            except FileNotFoundError:
                # It was never acknowledged, or is half removed.
                shutil.rmtree(folder, ignore_errors=True)
                continue
            except (OSError, ValueError) as error:
                log_problem("job.not_readable", job=folder.name, message=str(error))
                continue
            if record.id == folder.name:
                yield record

    def _folder(self, job: str) -> Path:
        assert _JOB_ID.fullmatch(job), "ids of jobs are the server's own"
        return self._root / job


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobNotKept(
            f"the disk of the server does not keep jobs: {error.strerror or error}",
            hint="tell whoever looks after the server (jobs.folder)",
        ) from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + _TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
