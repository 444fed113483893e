# SPDX-License-Identifier: Apache-2.0
"""A folder tree of a UI as a list of adapters: which files belong together, and what they say.

Looks at names and at first bytes only; what an adapter is, the intake decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tabard.cli.files.grouping import LAYOUTS, SUFFIXES
from tabard.cli.files.sidecars import Sidecar, read_sidecars
from tabard.errors import InvalidArgument

ITEMS_MAX = 10_000
"""Most adapters of one import."""
NAME_CHARS_MAX = 64
"""Longest name of an adapter."""

_START_BYTES = 16
_PASSED_OVER = frozenset({".git", "__pycache__", "node_modules", ".cache"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One adapter of a folder tree.

    Attributes:
        files: Its files; the first gives it its name.
        place: Path of the first, or of its folder, within the tree.
        stem: What people called it.
        sidecar: What stands beside it.
    """

    files: tuple[Path, ...]
    place: str
    stem: str
    sidecar: Sidecar


def find_items(folder: Path) -> tuple[Item, ...]:
    """Return the adapters of a folder tree, by path; links are not followed.

    Raises:
        InvalidArgument: There are too many.
    """
    found: list[Item] = []
    for place, names in _folders(folder):
        found += _items(place, names, root=folder)
        if len(found) > ITEMS_MAX:
            raise InvalidArgument(
                f"there are more than {ITEMS_MAX} adapters in {folder}",
                reason="TOO_MANY_FILES",
                hint="import its folders one by one",
            )
    return tuple(sorted(found, key=lambda item: item.place))


def plain_name(text: str) -> str:
    """Make the name of an adapter of what somebody called a file; empty when nothing is left."""
    lowered = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    return re.sub(r"-{2,}", "-", lowered).strip("._-")[:NAME_CHARS_MAX].strip("._-")


def _folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name not in _PASSED_OVER)
        yield Path(place), sorted(names)


def _items(folder: Path, names: list[str], *, root: Path) -> Iterator[Item]:
    taken: set[str] = set()
    for layout in LAYOUTS:
        files = layout.found_in(names)
        if files and files[0] not in taken:
            taken.update(files, layout.first)
            yield _item(folder, files, root=root, stem=folder.resolve().name)
    for name in names:
        path = folder / name
        if name not in taken and not path.is_symlink() and _is_candidate(path):
            yield _item(folder, (name,), root=root, stem=path.stem)


def _item(folder: Path, files: tuple[str, ...], *, root: Path, stem: str) -> Item:
    first = folder / files[0]
    return Item(
        files=tuple(folder / name for name in files),
        place=first.relative_to(root).as_posix(),
        stem=stem,
        sidecar=read_sidecars(first),
    )


def _is_candidate(path: Path) -> bool:
    """Whether a file is an adapter by its name, or a safetensors file whatever its name."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return False
    return start[4:9] == b"\0\0\0\0{"
