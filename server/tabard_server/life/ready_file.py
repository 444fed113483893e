# SPDX-License-Identifier: Apache-2.0
"""The file that says where a ready server is: there from when it takes jobs until it has ended.

In: a path from the settings, or none. Out: a file that no dead server speaks through for long.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tabard_server.errors import BadSettings


class ReadyFile:
    """The ready file of one server, which holds its ports: no other one is left when it begins."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)

    def __enter__(self) -> Self:
        """Remove what another server left, whoever it was."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Remove it, unless it is that of another server by now."""
        if self._path is not None and _writer(self._path) == os.getpid():
            self._path.unlink(missing_ok=True)

    def write(self, *, address: str, operators_address: str, metrics_address: str) -> None:
        """Tell, whole or not at all, that the server is ready, and where it is."""
        if self._path is None:
            return
        document = {
            "address": address,
            "operators_address": operators_address,
            "metrics_address": metrics_address,
            "pid": os.getpid(),
        }
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(document), encoding="utf-8")
        temporary.replace(self._path)


def require_place(path: str) -> None:
    """See that a ready file can be written.

    Raises:
        BadSettings: It cannot.
    """
    file = Path(path)
    if file.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        raise BadSettings(
            f"ready_file {path!r} cannot be written",
            names=("ready_file",),
            hint="name a file in a folder that is there and that this user may write to",
        )


def remove_stale(path: str) -> None:
    """Remove the file of a server that was killed, before anything of a start takes long.

    That of a server that lives stays: this start may be a mistake, and be refused its ports.
    """
    file = Path(path)
    if file.is_file() and not _is_alive(_writer(file)):
        file.unlink(missing_ok=True)


def _writer(file: Path) -> int | None:
    """Return the process that wrote a ready file; None: it is none, or not there."""
    try:
        pid = json.loads(file.read_bytes())["pid"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return pid if type(pid) is int else None


def _is_alive(pid: int | None) -> bool:
    # In a container every server may have the same number: this process has not written yet.
    if pid is None or pid <= 0 or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
