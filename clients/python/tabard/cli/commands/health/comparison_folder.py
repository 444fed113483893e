# SPDX-License-Identifier: Apache-2.0
"""Where the images of a comparison are kept: one PNG for each cell, and an index of them all.

A file is called after everything that shapes it, and is whole as soon as it is there. So what a
call before has drawn is found again, whatever else that call was to draw.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabard.calls.local_files import writing
from tabard.calls.replay import provenance_of
from tabard.cli.commands.generate.gallery import slug
from tabard.cli.output import to_json
from tabard.errors import FailedPrecondition, TabardError
from tabard.health.compared import ComparedImage, ComparisonCell, ComparisonPlan

INDEX = "index.json"
SHEET = "sheet.png"
_FORMAT = "tabard-comparison-1"
_UNSHAPED = ("priority", "timeout_seconds")
"""Options that change no pixel."""
_SIDE_LENGTH_MAX = 80
_HINT = "name another folder with --out"


class ComparisonFolder:
    """A folder of the images of one comparison, and of others before it.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, *, plan: ComparisonPlan, base_fingerprint: str) -> None:
        """Make the folder, if it is not there.

        Raises:
            FailedPrecondition: It cannot be written, or there is an index of something else.
        """
        self.path = path
        self._plan = plan
        self._base_fingerprint = base_fingerprint
        with writing(path, hint=_HINT):
            path.mkdir(parents=True, exist_ok=True)
        _refuse_other_index(path / INDEX)
        self._files = {cell: path / self._name(cell) for cell in plan.cells}
        self.found = {cell for cell, file in self._files.items() if _shows(file, cell)}
        """Cells whose images are there."""

    def file(self, cell: ComparisonCell) -> Path:
        """Give where the image of a cell is, or will be."""
        return self._files[cell]

    def keep(self, one: ComparedImage) -> None:
        """Write the image of a cell.

        Raises:
            FailedPrecondition: It cannot be written.
        """
        _write(self._files[one.cell], one.image.content)
        self.found.add(one.cell)

    def write(self, name: str, content: bytes) -> Path:
        """Write something beside the images, in place of what had that name.

        Raises:
            FailedPrecondition: It cannot be written.
        """
        _write(self.path / name, content)
        return self.path / name

    def write_index(self, *, also: Mapping[str, Any]) -> dict[str, Any]:
        """Write which image shows what, of those that are there, and give it.

        Raises:
            FailedPrecondition: It cannot be written.
        """
        plan = self._plan
        document = {
            "format": _FORMAT,
            "base_fingerprint": self._base_fingerprint,
            "sides": [{"label": side.label, **asdict(side)} for side in plan.sides],
            "prompts": plan.prompts,
            "seeds": plan.seeds,
            "options": _said(plan),
            "cells": [self._cell(cell) for cell in plan.cells if cell in self.found],
            "missing": len(plan.cells) - len(self.found),
            **also,
        }
        self.write(INDEX, to_json(document).encode() + b"\n")
        return document

    def _cell(self, cell: ComparisonCell) -> dict[str, Any]:
        file = self._files[cell]
        return {
            "file": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "side": self._plan.sides.index(cell.side),
            "prompt": self._plan.prompts.index(cell.template),
            "drawn_prompt": cell.prompt,
            "seed": cell.seed,
        }

    def _name(self, cell: ComparisonCell) -> str:
        shaped = {
            "base": self._base_fingerprint,
            "digest": cell.side.digest,
            "weight": cell.side.weight,
            "prompt": cell.prompt,
            "seed": cell.seed,
            "options": _said(self._plan),
        }
        key = hashlib.sha256(json.dumps(shaped, sort_keys=True).encode()).hexdigest()[:12]
        side = re.sub(r"[^a-z0-9.]+", "-", cell.side.label.lower())
        return f"{slug(cell.prompt)}--{side[:_SIDE_LENGTH_MAX]}--{cell.seed}--{key}.png"


def _said(plan: ComparisonPlan) -> dict[str, Any]:
    return {
        name: value
        for name, value in plan.options.items()
        if value not in (None, "") and name not in _UNSHAPED
    }


def _shows(file: Path, cell: ComparisonCell) -> bool:
    """Say whether a file is the image of a cell, by what it says of itself."""
    try:
        told = provenance_of(file.read_bytes())
    except (OSError, TabardError):
        return False
    return (told.get("prompt"), told.get("seed")) == (cell.prompt, cell.seed)


def _refuse_other_index(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            is_ours = json.loads(file.read_bytes())["format"] == _FORMAT
        except (ValueError, KeyError, TypeError, IsADirectoryError):
            is_ours = False
        if not is_ours:
            raise FailedPrecondition(
                f"'{file}' is no index of a comparison",
                reason="FOLDER_OCCUPIED",
                hint=_HINT,
            )


def _write(file: Path, content: bytes) -> None:
    partial = file.with_name(f".{file.name}.partial")
    with writing(file, hint=_HINT):
        partial.write_bytes(content)
        partial.replace(file)
