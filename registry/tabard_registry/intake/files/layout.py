# SPDX-License-Identifier: Apache-2.0
"""What the header of a safetensors file says of its tensors, checked; once for files of one kind.

Trainers write the same header for every run with the same settings, but for the free texts in
front. The JSON of a header comes in; its texts and a `Layout` go out, or a `BadHeader` is raised.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import groupby, pairwise
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from tabard_registry.intake.files.headers import BadHeader
from tabard_registry.intake.files.kept import Kept
from tabard_registry.intake.files.limits import IntakeLimits

FLOAT_DTYPES = ("F64", "F32", "F16", "BF16")
"""Element types that weights may have."""

_ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_MINUS = re.compile(rb"[:\[,]\s*-")
_METADATA = "__metadata__"
_FIRST = re.compile(rf'[ \t\r\n]*\{{[ \t\r\n]*"{_METADATA}"[ \t\r\n]*:[ \t\r\n]*')
_DIMENSIONS_MAX = 8
_DIMENSION_MAX = 1 << 40
_NAME_CHARS_MAX = 256


_Size = Annotated[int, msgspec.Meta(ge=0, le=_DIMENSION_MAX)]


class _PlainRow(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=_DIMENSIONS_MAX)]
    data_offsets: tuple[_Size, _Size]


_ROW_QUOTES = 10
"""Quotation marks of a tensor: its key, three names and a type."""
_PLAIN = msgspec.json.Decoder(dict[str, _PlainRow])


class TensorEntry(msgspec.Struct, frozen=True, gc=False):
    """One tensor of a file.

    Attributes:
        dtype: Element type as the format names it.
        shape: Its dimensions; empty for a scalar.
        start: Its first byte, from the first behind the header.
        end: Byte after the last, likewise.
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


class Layout:
    """Which tensors lie where, without gap or overlap. Never changed, and shared by many files.

    Attributes:
        tensors: Every tensor by its key.
        ends_at: Byte after the last, from the first behind the header.
    """

    def __init__(self, tensors: Mapping[str, TensorEntry], *, ends_at: int) -> None:
        self.tensors = MappingProxyType(dict(tensors))
        self.ends_at = ends_at

    @cached_property
    def float_runs(self) -> tuple[tuple[str, int, int], ...]:
        """Type, start and end of each stretch of weights of one type."""
        return tuple(_float_runs(self.tensors.values()))


_KEPT: Kept[str, Layout] = Kept(sizes_max=4 << 20)
"""Layouts by the text that says them; sizes are characters, of which a tensor has a hundred."""


def read_layout(text: bytes, *, limits: IntakeLimits) -> tuple[Mapping[str, str], Layout]:
    """Return the free texts of a header, and what it says of tensors.

    Raises:
        BadHeader: It breaks the format or a bound.
    """
    metadata, rest = _apart(text)
    layout = None if rest is None else _KEPT.get(rest)
    if layout is not None and len(layout.tensors) <= limits.tensors_max:
        return metadata, layout
    plain = None
    if rest and text.startswith(b"{"):
        # What is left begins with this sign too, or with a comma in its place.
        plain = _parse_plain("{" + rest[1:], limits=limits)
    found, tensors = _parse(text, limits=limits) if plain is None else (metadata, plain)
    layout = Layout(tensors, ends_at=_check_layout(tensors))
    # Texts that stand elsewhere, between tensors, are no part of a kind.
    if rest is not None and found == metadata:
        _KEPT.put(rest, layout, size=len(rest))
    return found, layout


def forget_layouts() -> None:
    """Read every header anew; for tests that break a rule of this module."""
    _KEPT.clear()


def _apart(text: bytes) -> tuple[dict[str, str], str | None]:
    """Cut sound free texts off the front of a header: what is left says all of its tensors.

    Returns:
        The texts, and what is left; None where anything is unusual.
    """
    try:
        # Writers fill headers up with blanks.
        string = text.decode("utf-8").rstrip(" ")
        first = _FIRST.match(string)
        if first is None:
            return {}, string
        metadata, end = _TEXTS.raw_decode(string, first.end())
        if "\\u" in string[:end]:
            json.dumps(metadata, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return {}, None
    # What follows begins with neither sign in a header without texts in front.
    if not _is_texts(metadata) or string[end : end + 1] not in (",", "}"):
        return {}, None
    return metadata, string[end:]


def _is_texts(metadata: Any) -> bool:
    return isinstance(metadata, dict) and all(isinstance(x, str) for x in metadata.values())


def _parse_plain(text: str, *, limits: IntakeLimits) -> dict[str, TensorEntry] | None:
    """Read what says all tensors, as every writer writes it, in one go.

    Returns:
        The tensors; None where anything is unusual: `_parse` takes it, or says what is wrong.
    """
    if "\\" in text or ("-" in text and _MINUS.search(text.encode())):
        return None
    try:
        rows = _PLAIN.decode(text)
    except ValueError:
        return None
    # A key that is said twice, here or in a row, has quotation marks that no row accounts for.
    is_exact = text.count('"') == _ROW_QUOTES * len(rows)
    if not 0 < len(rows) <= limits.tensors_max or not is_exact:
        return None
    found: dict[str, TensorEntry] = {}
    items: dict[tuple[str, tuple[int, ...]], int] = {}
    for key, row in rows.items():
        kind = (row.dtype, row.shape)
        size_bytes = items.get(kind)
        if size_bytes is None:
            size_bytes = items[kind] = math.prod(row.shape) * _ITEM_BYTES.get(row.dtype, -1)
        start, end = row.data_offsets
        is_sound = 0 < len(key) <= _NAME_CHARS_MAX and end - start == size_bytes >= 0
        if not is_sound or row.dtype not in _ITEM_BYTES or key == _METADATA:
            return None
        found[key] = TensorEntry(row.dtype, row.shape, start, end)
    return found


def _parse(text: bytes, *, limits: IntakeLimits) -> tuple[dict[str, str], dict[str, TensorEntry]]:
    document = _parse_json(text)
    if not isinstance(document, dict):
        raise BadHeader("it is not a JSON object")
    metadata = document.pop(_METADATA, {})
    if not _is_texts(metadata):
        raise BadHeader("its metadata is not a table of texts")
    if len(document) > limits.tensors_max:
        raise BadHeader(f"{len(document)} tensors; at most {limits.tensors_max} are taken")
    return metadata, {key: _entry(key, row) for key, row in document.items()}


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


_TEXTS = json.JSONDecoder(object_pairs_hook=_unique)


def _entry(key: str, row: Any) -> TensorEntry:
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
    return TensorEntry(dtype=dtype, shape=tuple(shape), start=start, end=end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        [type(item) is int and 0 <= item <= _DIMENSION_MAX for item in value]
    )


def _check_layout(tensors: Mapping[str, TensorEntry]) -> int:
    """Check that the tensors lie without gap or overlap; return where they end."""
    if not tensors:
        return 0
    ordered = sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end))
    if ordered[0][1].start != 0:
        raise BadHeader("there is a gap before the first tensor")
    for (_, before), (key, entry) in pairwise(ordered):
        if entry.start < before.end:
            raise BadHeader(f"tensor {key[:80]!r} overlaps another one")
        if entry.start > before.end:
            raise BadHeader(f"there is a gap before tensor {key[:80]!r}")
    return ordered[-1][1].end


def _float_runs(entries: Iterable[TensorEntry]) -> Iterator[tuple[str, int, int]]:
    """Yield each stretch of weights of one type; there are no gaps."""
    ordered = sorted(entries, key=lambda entry: (entry.start, entry.end))
    for dtype, run in groupby(ordered, key=lambda entry: entry.dtype):
        if dtype in FLOAT_DTYPES:
            members = list(run)
            yield dtype, members[0].start, members[-1].end
