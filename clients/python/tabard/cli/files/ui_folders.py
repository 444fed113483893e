# SPDX-License-Identifier: Apache-2.0
"""A folder tree of a UI as a list of adapters: which files belong together, and what they say.

Links are followed, each file and folder once. Looks at names and at first bytes only; what an
adapter is, the intake decides.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anyascii import anyascii

from tabard.calls.grouping import LAYOUTS, SUFFIXES, is_trainer_state
from tabard.calls.local_files import first_bytes
from tabard.cli.files.sidecars import Sidecar, read_sidecars
from tabard.errors import InvalidArgument

ITEMS_MAX = 10_000
"""Most adapters of one import."""
FOLDERS_MAX = 100_000
"""Most folders that are looked into, those behind links included."""
NAME_CHARS_MAX = 64
"""Longest name of an adapter."""

_START_BYTES = 16
_TITLE_CHARS = 200
_PASSED_OVER = frozenset({".git", "__pycache__", "node_modules", ".cache"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One adapter of a folder tree, or what cannot be looked at.

    Attributes:
        files: Its files; the first gives it its name. None where there is nothing to take.
        place: Path of the first, or of its folder, within the tree.
        stem: What people called it.
        sidecar: What stands beside it.
        same_as: Place where these very files, or this folder, were met before; else empty.
        trouble: Why it cannot be looked at; else empty.
    """

    files: tuple[Path, ...]
    place: str
    stem: str = ""
    sidecar: Sidecar = field(default_factory=Sidecar)
    same_as: str = ""
    trouble: str = ""


def find_items(folder: Path) -> tuple[Item, ...]:
    """Return the adapters of a folder tree, by path, and everything of it that cannot be read.

    Raises:
        InvalidArgument: There are too many.
    """
    return tuple(sorted(_Tree(root=folder).walk(folder), key=lambda item: item.place))


def plain_name(text: str) -> str:
    """Make the name of an adapter of what somebody called a file; empty when nothing is left.

    Other scripts are written in Latin letters.
    """
    lowered = re.sub(r"[^a-z0-9._-]+", "-", anyascii(text).lower())
    return re.sub(r"-{2,}", "-", lowered).strip("._-")[:NAME_CHARS_MAX].strip("._-")


def title_of(text: str) -> str:
    """Return what somebody called a file, as people write it."""
    written = unicodedata.normalize("NFC", _text(text))
    return "".join(char if char.isprintable() else " " for char in written).strip()[:_TITLE_CHARS]


@dataclass(slots=True, kw_only=True)
class _Tree:
    """A walk that knows where it has been: by device and number, whatever the path."""

    root: Path
    places: dict[tuple[int, int], str] = field(default_factory=dict)
    folders: int = 0
    items: int = 0

    def walk(self, folder: Path) -> Iterator[Item]:
        """Yield the items of a folder and of those below it."""
        waiting = [folder]
        while waiting:
            place = waiting.pop()
            try:
                before = self._been(place)
                entries = sorted(os.scandir(place), key=lambda one: one.name)
            except OSError as error:
                yield self._trouble(place, error)
                continue
            if before:
                yield Item(files=(), place=self._place(place), same_as=before)
                continue
            self._count(folders=1)
            below = [Path(one.path) for one in entries if _is_folder(one)]
            waiting += [path for path in reversed(below) if path.name not in _PASSED_OVER]
            for item in self._items(place, [one.name for one in entries if not _is_folder(one)]):
                self._count(items=1)
                yield item

    def _items(self, folder: Path, names: list[str]) -> Iterator[Item]:
        taken: set[str] = set()
        for layout in LAYOUTS:
            files = layout.found_in(names)
            if files and files[0] not in taken:
                taken.update(files, layout.first)
                yield self._item(folder, files, stem=folder.absolute().name)
        for name in names:
            if name not in taken and _is_candidate(folder / name):
                yield self._item(folder, (name,), stem=(folder / name).stem)

    def _item(self, folder: Path, names: tuple[str, ...], *, stem: str) -> Item:
        files = tuple(folder / name for name in names)
        place = self._place(files[0])
        try:
            before = self._been(files[0])
            kinds = [path.stat().st_mode for path in files]
        except OSError as error:
            return self._trouble(files[0], error)
        if before:
            return Item(files=(), place=place, same_as=before)
        if not all(map(stat.S_ISREG, kinds)):
            return Item(files=(), place=place, trouble="it is no regular file")
        return Item(files=files, place=place, stem=stem, sidecar=read_sidecars(files[0]))

    def _been(self, path: Path) -> str:
        """Return the place where this very file or folder was met before; else note it."""
        found = path.stat()
        place = self._place(path)
        before = self.places.setdefault((found.st_dev, found.st_ino), place)
        return before if before != place else ""

    def _trouble(self, path: Path, error: OSError) -> Item:
        why = error.strerror or str(error)
        is_link = error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink()
        what = f"it is a link to nothing ({why})" if is_link else f"it cannot be read: {why}"
        return Item(files=(), place=self._place(path), trouble=what)

    def _place(self, path: Path) -> str:
        return _text(path.relative_to(self.root).as_posix())

    def _count(self, *, folders: int = 0, items: int = 0) -> None:
        self.folders += folders
        self.items += items
        for count, most, what in (
            (self.items, ITEMS_MAX, "adapters"),
            (self.folders, FOLDERS_MAX, "folders"),
        ):
            if count > most:
                raise InvalidArgument(
                    f"there are more than {most} {what} in {self.root}",
                    reason="TOO_MANY_FILES",
                    hint="import its folders one by one; links are followed",
                )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself.
        return False


def _text(path: str) -> str:
    """Return a path as text that can be written, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "replace")


def _is_candidate(path: Path) -> bool:
    """Whether a file is an adapter by its name, or a safetensors file whatever its name."""
    if is_trainer_state(path.name):
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        start = first_bytes(path, bytes_max=_START_BYTES)
    except OSError:
        return False
    return start[4:9] == b"\0\0\0\0{"
