# SPDX-License-Identifier: Apache-2.0
"""Reads safetensors files that may be hostile: the header within bounds, the tensors by memory map.

A path comes in; a `TensorFile` goes out, or the one `Problem` that makes it unreadable. Knows
nothing of adapters.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry.intake.files.finite import are_finite
from tabard_registry.intake.files.headers import BadHeader, read_header
from tabard_registry.intake.files.layout import Layout, read_layout
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.sniff import SNIFF_BYTES, describe_stranger
from tabard_registry.regular_file import open_regular
from tabard_registry.report import Problem

_NUMPY = {
    name: np.dtype(kind)
    for name, kind in (
        *(("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2")),
        *(("BF16", "<u2"), ("I64", "<i8"), ("I32", "<i4"), ("BOOL", "|u1")),
    )
}
_GLANCE = 1_024
_SHORTEN = "Export it without large metadata, if it is a real safetensors file."
_REMEDY = "Export or download the file again; if it stays so, its writer is broken."
_REMEDIES = {"BAD_HEADER": _REMEDY, "HEADER_TOO_LONG": _SHORTEN}


class Words(Mapping[str, str]):
    """The free texts of a header, which remember what was asked of them.

    Attributes:
        asked: The texts that were looked for.
        are_listed: Whether they were gone through, so that any of them can matter.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self.asked: set[str] = set()
        self.are_listed = False

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        self.are_listed = True
        return iter(self._texts)

    def __len__(self) -> int:
        self.are_listed = True
        return len(self._texts)


class TensorFile:
    """A safetensors file whose header was found sound.

    Attributes:
        path: The file.
        metadata: The header's free texts.
        layout: What the header says of the tensors.
        tensors: These by key.
        size_bytes: Size of the file.
        looked_at: Keys of the tensors whose numbers were read.
    """

    def __init__(
        self, path: Path, *, metadata: Mapping[str, str], layout: Layout, size_bytes: int
    ) -> None:
        self.path = path
        self.metadata = Words(metadata)
        self.layout = layout
        self.tensors = layout.tensors
        self.size_bytes = size_bytes
        self.looked_at: set[str] = set()
        self._numbers: dict[str, float] = {}
        self._bytes: NDArray[np.uint8] | None = None
        self._pages: mmap.mmap | None = None
        self._is_finite: bool | None = None

    def without(self, keys: Iterable[str]) -> TensorFile:
        """Return the same file as if it had no such tensors."""
        gone = frozenset(keys)
        rest = {key: entry for key, entry in self.tensors.items() if key not in gone}
        return TensorFile(
            self.path,
            metadata=self.metadata,
            layout=Layout(rest, ends_at=self.layout.ends_at),
            size_bytes=self.size_bytes,
        )

    def raw(self, key: str) -> NDArray[Any]:
        """Return a tensor as it lies in the file: a private view; BF16 as its bits in uint16.

        Raises:
            KeyError: There is no such tensor, or its type cannot be read.
            OSError: The file is gone.
        """
        self.looked_at.add(key)
        entry = self.tensors[key]
        found: NDArray[Any] = self._map()[entry.start : entry.end].view(_NUMPY[entry.dtype])
        return found.reshape(entry.shape)

    def content(self, keys: Iterable[str]) -> bytes:
        """Return the bytes of tensors, one after the other.

        Raises:
            OSError: The file is gone.
        """
        tensors, whole = self.tensors, self._map().data
        return b"".join([whole[tensors[key].start : tensors[key].end] for key in keys])

    def read(self, key: str) -> NDArray[Any]:
        """Return a tensor as numbers; BF16 widens to float32, everything else is a view.

        Raises:
            KeyError: There is no such tensor, or its type cannot be read.
            OSError: The file is gone.
        """
        found = self.raw(key)
        if self.tensors[key].dtype == "BF16":
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found

    def number(self, key: str) -> float:
        """Return a tensor of one number, which is asked for more than once.

        Raises:
            KeyError: There is no such tensor, or its type cannot be read.
            OSError: The file is gone.
        """
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = float(self.read(key).reshape(-1)[0])
        return found

    def is_finite(self, key: str) -> bool:
        """Whether a tensor is free of NaN and infinity, also once F64 becomes F32.

        Nearly every file is sound, so the first question is asked of all its tensors at once.
        """
        if self.are_finite():
            return True
        entry = self.tensors[key]
        if not entry.is_float:
            return True
        return are_finite(self._map()[entry.start : entry.end], dtype=entry.dtype)

    def are_finite(self) -> bool:
        """Whether all its tensors are."""
        if self._is_finite is None:
            self._is_finite = all(
                are_finite(self._map()[start:end], dtype=dtype)
                for dtype, start, end in self.layout.float_runs
            )
        return self._is_finite

    def is_zero(self, key: str) -> bool:
        """Whether a tensor holds nothing but zeros."""
        found = self.raw(key).reshape(-1)
        return not bool(found[:_GLANCE].any()) and not bool(found.any())

    def forget(self) -> None:
        """Let the system take back the memory of what was read; it is read again when needed."""
        if self._pages is not None:
            self._pages.madvise(mmap.MADV_DONTNEED)

    def _map(self) -> NDArray[np.uint8]:
        if self._bytes is None:
            with open_regular(self.path) as file:
                # A private map: whoever writes into an array changes neither file nor neighbours.
                self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            data_start = self.size_bytes - self.layout.ends_at
            self._bytes = np.frombuffer(self._pages, np.uint8)[data_start:]
        return self._bytes


def open_tensors(path: Path, *, limits: IntakeLimits) -> TensorFile | Problem:
    """Read and check the header of a file; the tensors are not read.

    Raises:
        OSError: The file cannot be read at all.
    """
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes_max:
        return Problem(
            reason="TOO_LARGE",
            message=f"{path.name} has {size_bytes} B; at most {limits.file_bytes_max} are taken",
            remedy="Publish adapters, not whole models; or raise the limit on the server.",
        )
    with open_regular(path) as file:
        start = file.read(SNIFF_BYTES)
        refusal = _refuse_start(start, name=path.name, size_bytes=size_bytes, limits=limits)
        if refusal is not None:
            return refusal
        header_bytes = int.from_bytes(start[:8], "little")
        try:
            text = read_header(file, start=8, header_bytes=header_bytes)
            metadata, layout = read_layout(text, limits=limits)
            ends_at = 8 + header_bytes + layout.ends_at
            _check_end(ends_at, size_bytes=size_bytes)
        except BadHeader as error:
            message = f"the header of {path.name}: {error}"
            return Problem(reason=error.reason, message=message, remedy=_REMEDIES[error.reason])
    if ends_at > size_bytes:
        return _truncated(path.name, missing_bytes=ends_at - size_bytes)
    return TensorFile(path, metadata=metadata, layout=layout, size_bytes=size_bytes)


def _refuse_start(
    start: bytes, *, name: str, size_bytes: int, limits: IntakeLimits
) -> Problem | None:
    if size_bytes == 0:
        return Problem(reason="EMPTY", message=f"{name} is empty", remedy=_REMEDY)
    stranger = describe_stranger(start)
    if stranger is not None:
        what, remedy = stranger
        message = f"{name} is {what}"
        return Problem(reason="NOT_SAFETENSORS", message=message, remedy=remedy)
    header_bytes = int.from_bytes(start[:8], "little")
    if header_bytes > limits.header_bytes_max:
        return Problem(
            reason="HEADER_TOO_LONG",
            message=f"{name} announces a header of {header_bytes} bytes; "
            f"at most {limits.header_bytes_max} are taken",
            remedy=_SHORTEN,
        )
    if 8 + header_bytes > size_bytes:
        return _truncated(name, missing_bytes=8 + header_bytes - size_bytes)
    return None


def _truncated(name: str, *, missing_bytes: int) -> Problem:
    return Problem(
        reason="TRUNCATED",
        message=f"{name} ends {missing_bytes} bytes too early",
        remedy="Copy or download the file again; compare its size with the source.",
    )


def _check_end(ends_at: int, *, size_bytes: int) -> None:
    if ends_at < size_bytes:
        raise BadHeader(f"there are {size_bytes - ends_at} bytes after the last tensor")


def file_name(path: Path) -> str:
    """Return the base name of a path as text that every encoding can hold."""
    return os.fspath(path.name).encode("utf-8", "replace").decode("utf-8")
