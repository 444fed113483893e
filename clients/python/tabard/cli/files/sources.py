# SPDX-License-Identifier: Apache-2.0
"""What an author names: files, a folder or a repository of a hub become files at hand."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from tabard.calls.grouping import choose_files
from tabard.calls.local_files import LocalFile
from tabard.cli.files.hub import Found, download, parse_hub_id
from tabard.errors import InvalidArgument


def find_files(named: Sequence[str]) -> Found:
    """Return the files that arguments name: each a file, or one folder, or one hub id.

    Raises:
        InvalidArgument: A folder or a hub id stands beside others, or is ambiguous.
        TabardError: The hub does not give it.
    """
    if len(named) == 1:
        path = Path(named[0])
        if _is_folder(path):
            names = [one.name for one in path.iterdir() if one.is_file()]
            chosen = choose_files(names, where=f"the folder {path}")
            return Found(files=tuple(path / name for name in chosen))
        if not os.path.lexists(path) and (wanted := parse_hub_id(named[0])) is not None:
            return download(wanted)
    for one in named:
        if _is_folder(Path(one)) or one.startswith("hf:"):
            raise InvalidArgument(
                f"'{one}' stands beside other files",
                reason="AMBIGUOUS_SOURCE",
                hint="name one folder, or one repository, or files",
            )
    return Found(files=tuple(map(Path, named)))


def file_digest(path: Path) -> str:
    """Return `sha256:…` of a file.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    hasher = hashlib.sha256()
    with LocalFile(path) as file:
        for chunk in file.chunks():
            hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"


def with_source(notes: str, *, source: str) -> str:
    """Return notes that say where the files are from."""
    return "\n".join(part for part in (notes, f"source: {source}" if source else "") if part)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long is no folder, and is told as a file
        return False
