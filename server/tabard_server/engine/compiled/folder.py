# SPDX-License-Identifier: Apache-2.0
"""Where built libraries are kept from one start to the next: a folder for each base and machine.

In: kinds of pass. Out: files that were written whole, or none. Bounded: what was used longest ago
goes first, of other bases and older programs too. From any thread; several servers may share it.
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from tabard_registry.refs.digest import sha256_bytes
from tabard_server.engine.compiled.graph import PassShape

_KERNELS = "inductor"


def kernels_folder(root: Path, *, key: str, bytes_max: int) -> Path:
    """Return where inductor keeps the kernels of these tools on this device, noted as used.

    Those of other tools, as of an older PyTorch, go where all take more than so many bytes: what
    was used longest ago first. Its own stays. Where it cannot be made, inductor says so.
    """
    own = root / _KERNELS / key
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        os.utime(own)
    others = [path for path in own.parent.glob("*") if path.is_dir() and path != own]
    sizes = {path: _bytes_of(path) for path in others}
    total = sum(sizes.values()) + _bytes_of(own)
    for path in sorted(others, key=_used_at):
        if total <= bytes_max:
            break
        shutil.rmtree(path, ignore_errors=True)
        total -= sizes[path]
    return own


class LibraryFolder:
    """Libraries of one base on one machine."""

    def __init__(self, root: Path, *, key: str, bytes_max: int) -> None:
        """Take the folder of all, and the name of this base's own; nothing is written yet.

        Args:
            root: For all bases.
            key: Of this one.
            bytes_max: For all of them together.
        """
        self._root, self._own, self._bytes_max = root, root / key, bytes_max

    def find(self, shape: PassShape) -> Path | None:
        """Return a library that is whole, and note that it is used; None: there is none.

        One that was changed since is removed.
        """
        path = self._own / f"{shape.name}.so"
        try:
            sealed = json.loads(path.with_suffix(".json").read_text())["sha256"]
            if sealed == str(sha256_bytes(path.read_bytes())):
                os.utime(path)
                return path
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self.remove(path)
        return None

    def keep(self, built: Path, *, shape: PassShape) -> Path:
        """Move a library and its wishes here; what says that it is whole comes last.

        Raises:
            OSError: It cannot be written.
        """
        self._own.mkdir(parents=True, exist_ok=True)
        path = self._own / f"{shape.name}.so"
        told = json.loads(built.with_suffix(".json").read_text())
        told["sha256"] = str(sha256_bytes(built.read_bytes()))
        self.remove(path)
        built.replace(path)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(told))
        partial.replace(path.with_suffix(".json"))
        self._make_room(beside=path)
        return path

    def remove_kind(self, shape: PassShape) -> None:
        """Remove the library of a kind. Idempotent."""
        self.remove(self._own / f"{shape.name}.so")

    def remove(self, path: Path) -> None:
        """Remove a library that cannot be used. Idempotent."""
        for one in (path.with_suffix(".json"), path):
            with suppress(OSError):
                one.unlink()

    def _make_room(self, *, beside: Path) -> None:
        found = []
        for path in self._root.glob("*/*.so"):
            with suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, path, stat.st_size))
        total = sum(size for _used, _path, size in found)
        for _used, path, size in sorted(found):
            if total <= self._bytes_max:
                return
            if path != beside:
                self.remove(path)
                total -= size


def _bytes_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _used_at(folder: Path) -> float:
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0
