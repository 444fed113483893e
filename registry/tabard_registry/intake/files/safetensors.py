# SPDX-License-Identifier: Apache-2.0
"""Reads safetensors files that may be hostile: the header within bounds, the tensors by memory map.

A path comes in; a `TensorFile` goes out, or the one `Problem` that makes it unreadable. Knows
nothing of adapters.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry.intake.files.finite import are_finite
from tabard_registry.intake.files.headers import BadHeader, read_header
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.sniff import SNIFF_BYTES, describe_stranger
from tabard_registry.regular_file import open_regular
from tabard_registry.report import Problem

FLOAT_DTYPES = ("F64", "F32", "F16", "BF16")
"""Element types that weights may have."""

_ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
_NUMPY = {
    name: np.dtype(kind)
    for name, kind in (
        *(("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2")),
        *(("BF16", "<u2"), ("I64", "<i8"), ("I32", "<i4"), ("BOOL", "|u1")),
    )
}
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_MINUS = re.compile(rb"[:\[,]\s*-")
_DIMENSIONS_MAX = 8
_DIMENSION_MAX = 1 << 40
_NAME_CHARS_MAX = 256
_GLANCE = 1_024
_SHORTEN = "Export it without large metadata, if it is a real safetensors file."
_REMEDY = "Export or download the file again; if it stays so, its writer is broken."
_REMEDIES = {"BAD_HEADER": _REMEDY, "HEADER_TOO_LONG": _SHORTEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One tensor of a file.

    Attributes:
        dtype: Element type as the format names it.
        shape: Its dimensions; empty for a scalar.
        start: First byte in the file.
        end: Byte after the last.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def is_float(self) -> bool:
        """Whether it can be a weight."""
        return self.dtype in FLOAT_DTYPES

    @property
    def is_empty(self) -> bool:
        """Whether it holds no number at all."""
        return 0 in self.shape

    @property
    def kept_item_bytes(self) -> int:
        """Bytes of one of its numbers in a canonical file, which `kept` writes."""
        return 2 if self.dtype == "F16" else 4


class TensorFile:
    """A safetensors file whose header was found sound.

    Attributes:
        path: The file.
        metadata: The header's free texts.
        tensors: Its tensors by key.
        size_bytes: Size of the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        metadata: Mapping[str, str],
        tensors: Mapping[str, TensorEntry],
        size_bytes: int,
    ) -> None:
        self.path = path
        self.metadata = MappingProxyType(dict(metadata))
        self.tensors = MappingProxyType(dict(tensors))
        self.size_bytes = size_bytes
        self._bytes: NDArray[np.uint8] | None = None
        self._pages: mmap.mmap | None = None
        self._is_finite: bool | None = None

    def without(self, keys: Iterable[str]) -> TensorFile:
        """Return the same file as if it had no such tensors."""
        gone = frozenset(keys)
        rest = {key: entry for key, entry in self.tensors.items() if key not in gone}
        return TensorFile(
            self.path, metadata=self.metadata, tensors=rest, size_bytes=self.size_bytes
        )

    def raw(self, key: str) -> NDArray[Any]:
        """Return a tensor as it lies in the file: a private view; BF16 as its bits in uint16.

        Raises:
            KeyError: There is no such tensor, or its type cannot be read.
            OSError: The file is gone.
        """
        entry = self.tensors[key]
        found: NDArray[Any] = self._map()[entry.start : entry.end].view(_NUMPY[entry.dtype])
        return found.reshape(entry.shape)

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

    def is_finite(self, key: str) -> bool:
        """Whether a tensor is free of NaN and infinity, also once F64 becomes F32.

        Nearly every file is sound, so the first question is asked of all its tensors at once.
        """
        if self._is_finite is None:
            self._is_finite = all(
                are_finite(self._map()[start:end], dtype=dtype)
                for dtype, start, end in _float_runs(self.tensors.values())
            )
        entry = self.tensors[key]
        if self._is_finite or not entry.is_float:
            return True
        return are_finite(self._map()[entry.start : entry.end], dtype=entry.dtype)

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
            self._bytes = np.frombuffer(self._pages, np.uint8)
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
            metadata, tensors = _parse(text, data_start=8 + header_bytes, limits=limits)
            ends_at = _check_layout(tensors, start=8 + header_bytes)
            _check_end(ends_at, size_bytes=size_bytes)
        except BadHeader as error:
            message = f"the header of {path.name}: {error}"
            return Problem(reason=error.reason, message=message, remedy=_REMEDIES[error.reason])
    if ends_at > size_bytes:
        return _truncated(path.name, missing_bytes=ends_at - size_bytes)
    return TensorFile(path, metadata=metadata, tensors=tensors, size_bytes=size_bytes)


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


def _parse(
    text: bytes, *, data_start: int, limits: IntakeLimits
) -> tuple[dict[str, str], dict[str, TensorEntry]]:
    document = _parse_json(text)
    if not isinstance(document, dict):
        raise BadHeader("it is not a JSON object")
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BadHeader("its metadata is not a table of texts")
    if len(document) > limits.tensors_max:
        raise BadHeader(f"{len(document)} tensors; at most {limits.tensors_max} are taken")
    return metadata, {key: _entry(key, row, data_start=data_start) for key, row in document.items()}


def _parse_json(text: bytes) -> Any:
    """Parse JSON as other readers of the format do; Python alone would take more."""
    # A signed zero is a size to Python only. Reading every number by a function of ours is slow.
    parse_int = _natural if _MINUS.search(text) else None
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_int=parse_int)
        if b"\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise BadHeader("it is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise BadHeader("half a character is escaped in it") from error
    except RecursionError as error:
        raise BadHeader("it is nested too deeply") from error
    except BadHeader:
        raise
    except ValueError as error:
        raise BadHeader(f"it is not JSON ({error})"[:200]) from error
    return document


def _natural(digits: str) -> int:
    if digits.startswith("-"):
        raise BadHeader("a number is negative")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadHeader(f"the key {twice[:80]!r} appears twice")
    return found


def _entry(key: str, row: Any, *, data_start: int) -> TensorEntry:
    if not key or len(key) > _NAME_CHARS_MAX:
        raise BadHeader(f"impossible tensor name {key[:80]!r}")
    if not isinstance(row, dict) or row.keys() != _FIELDS:
        raise BadHeader(f"tensor {key[:80]!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    item_bytes = _ITEM_BYTES.get(dtype) if isinstance(dtype, str) else None
    if item_bytes is None:
        raise BadHeader(f"tensor {key[:80]!r} has the unknown element type {str(dtype)[:20]!r}")
    if not _are_sizes(shape) or len(shape) > _DIMENSIONS_MAX:
        raise BadHeader(f"tensor {key[:80]!r} has an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise BadHeader(f"tensor {key[:80]!r} has impossible offsets")
    start, end = offsets
    if end - start != math.prod(shape) * item_bytes:
        raise BadHeader(f"tensor {key[:80]!r}: its shape and its offsets disagree")
    return TensorEntry(
        dtype=dtype, shape=tuple(shape), start=data_start + start, end=data_start + end
    )


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        [type(item) is int and 0 <= item <= _DIMENSION_MAX for item in value]
    )


def _check_layout(tensors: Mapping[str, TensorEntry], *, start: int) -> int:
    """Check that the tensors fill the file without gap or overlap; return where they end."""
    if not tensors:
        return start
    ordered = sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end))
    if ordered[0][1].start != start:
        raise BadHeader("there is a gap before the first tensor")
    for (_, before), (key, entry) in pairwise(ordered):
        if entry.start < before.end:
            raise BadHeader(f"tensor {key[:80]!r} overlaps another one")
        if entry.start > before.end:
            raise BadHeader(f"there is a gap before tensor {key[:80]!r}")
    return ordered[-1][1].end


def _check_end(ends_at: int, *, size_bytes: int) -> None:
    if ends_at < size_bytes:
        raise BadHeader(f"there are {size_bytes - ends_at} bytes after the last tensor")


def _float_runs(entries: Iterable[TensorEntry]) -> Iterator[tuple[str, int, int]]:
    """Yield type, start and end of each stretch of weights of one type; there are no gaps."""
    ordered = sorted(entries, key=lambda entry: (entry.start, entry.end))
    for dtype, run in groupby(ordered, key=lambda entry: entry.dtype):
        if dtype in FLOAT_DTYPES:
            members = list(run)
            yield dtype, members[0].start, members[-1].end


def file_name(path: Path) -> str:
    """Return the base name of a path as text that every encoding can hold."""
    return os.fspath(path.name).encode("utf-8", "replace").decode("utf-8")
