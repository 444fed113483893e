# SPDX-License-Identifier: Apache-2.0
"""The folder a demo writes into: claimed by a marker, cleared of the last demo only."""

from __future__ import annotations

import shutil
from pathlib import Path

from tabard.calls.local_files import writing
from tabard.errors import FailedPrecondition

MARKER = ".tabard-demo"
SHEET = "contact-sheet.png"
SUMMARY = "summary.json"
SERVER_LOG = "server.log"
READY_FILE = "ready.json"
REGISTRY = "registry"
IMAGES = "images"
EXPORTED = ("base", "adapters")

_ANOTHER = "name another folder with --out (or --export), or make room in this one"
_FILES = (SHEET, SUMMARY, SERVER_LOG, READY_FILE)


def claim(folder: Path, *, to_clear: tuple[str, ...] = (REGISTRY, IMAGES, *_FILES)) -> Path:
    """Make the folder, or clear what an earlier demo left in it; give its absolute path.

    Raises:
        FailedPrecondition: It holds something and was not made by a demo.
    """
    folder = folder.absolute()
    if folder.exists() and not _is_ours(folder):
        raise FailedPrecondition(
            f"'{folder}' exists and is not a Tabard demo folder; nothing was written",
            reason="NOT_A_DEMO_FOLDER",
            hint="name another folder with --out (or --export), or remove this one",
        )
    with writing(folder, hint=_ANOTHER):
        _clear(folder, to_clear=to_clear)
    return folder


def export(material: Path, *, target: Path) -> Path:
    """Copy the demo base and the adapter files to `target/base` and `target/adapters`.

    Raises:
        FailedPrecondition: The target holds something and was not made by a demo.
    """
    target = claim(target, to_clear=EXPORTED)
    with writing(target, hint=_ANOTHER):
        for name in EXPORTED:
            ignored = shutil.ignore_patterns("__pycache__", "*.py")
            shutil.copytree(material / name, target / name, ignore=ignored)
    return target


def _clear(folder: Path, *, to_clear: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("made by `tabard demo`; safe to delete\n", encoding="utf-8")
    for name in to_clear:
        left = folder / name
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MARKER).is_file() or not any(folder.iterdir()))
