# SPDX-License-Identifier: Apache-2.0
"""Pickled files at the door: told by content, and read by somebody who cannot do any harm.

The registry itself never unpickles. Whoever serves it hands in a `PickleReader`, which turns a
file into the bytes of a safetensors file; they are as hostile as any, and opened like any.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile, file_name, open_tensors
from tabard_registry.intake.files.sniff import SNIFF_BYTES, is_bare_pickle
from tabard_registry.regular_file import open_regular
from tabard_registry.report import Problem
from tabard_registry.scratch import Scratch

PickleReader = Callable[[Path], bytes]
"""From a pickled file to the bytes of a safetensors file; raises `PickleRefused`."""

_REMEDY = "Convert it to safetensors with a tool you trust, for example the trainer's own export."
_MISSING_REMEDY = "pip install 'tabard[server]', which reads pickles in a sealed process; or: "


class PickleRefused(Exception):
    """A pickle was not read.

    Attributes:
        reason: `PICKLE_REFUSED`, `PICKLE_TOO_LARGE`, `PICKLE_TIMEOUT`, `PICKLE_READER_MISSING` or
            `PICKLE_SEAL_UNAVAILABLE`.
        detail: Why.
        remedy: What to do; empty for the usual advice.
    """

    def __init__(self, reason: str, detail: str, *, remedy: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.remedy = remedy or _REMEDY


def is_pickled(path: Path) -> bool:
    """Whether a file is a pickle, or the zip archive that torch puts one into, by its content.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        start = file.read(SNIFF_BYTES)
    if start[4:9] == b"\0\0\0\0{":
        return False
    return is_bare_pickle(start) or start.startswith(b"PK\x03\x04")


def open_pickled(
    path: Path, *, reader: PickleReader | None, limits: IntakeLimits
) -> TensorFile | Problem:
    """Open a pickled file as the tensors that it holds. Never raises for what is in it.

    Raises:
        OSError: The file cannot be read, or there is no room for what it becomes.
    """
    try:
        if path.stat().st_size > limits.pickle_bytes_max:
            raise PickleRefused(
                "PICKLE_TOO_LARGE",
                f"it has {path.stat().st_size} bytes; at most {limits.pickle_bytes_max} are taken",
            )
        if reader is None:
            raise PickleRefused(
                "PICKLE_READER_MISSING",
                "it is a pickle, which can run code, and nothing here reads those safely",
                remedy=_MISSING_REMEDY + _REMEDY,
            )
        content = reader(path)
    except PickleRefused as refused:
        message = f"{file_name(path)}: {refused.detail}"
        return Problem(reason=refused.reason, message=message, remedy=refused.remedy)
    return _opened(content, name=path.name, limits=limits)


def _opened(content: bytes, *, name: str, limits: IntakeLimits) -> TensorFile | Problem:
    """Open an answer under the name of the file it was made of; it lies there while it is used."""
    scratch = Scratch("pickle")
    converted = scratch.path / name
    converted.write_bytes(content)
    found = open_tensors(converted, limits=limits)
    if isinstance(found, Problem):
        scratch.close()
        return Problem(reason="PICKLE_REFUSED", message=found.message, remedy=_REMEDY)
    weakref.finalize(found, scratch.close)
    return found
