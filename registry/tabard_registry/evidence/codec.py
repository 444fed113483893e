# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses as JSON, and back, by the types of their fields. Input is hostile.

Every text, list, mapping and number is bounded. What is unknown, missing, doubled or of another
type is refused by its path. A field that has its default is not written, so that a field added
later changes no digest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tabard_registry.errors import InvalidField, RegistryError, check_text
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version

DOCUMENT_BYTES_MAX = 4 << 20
"""Largest document that is written or read."""
TEXT_CHARS_MAX = 8_000
"""Longest text in a document."""
ITEMS_MAX = 4_096
"""Most items of a list in a document."""
KEYS_MAX = 64
"""Most keys of a mapping in a document."""
INTEGER_MAX = 2**64 - 1
"""Largest whole number in a document, by its size."""

_NUMBER_CHARS_MAX = 40
_PARSED: Mapping[Any, Callable[[str], Any]] = {
    Digest: Digest.parse,
    AdapterName: AdapterName.parse,
    Version: Version.parse,
}


def write(value: Any) -> Any:
    """Write a value of a document as a JSON value."""
    if is_dataclass(value) and type(value) not in _PARSED:
        said = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: write(what) for one, what in said if what != _default(one)}
    if isinstance(value, tuple):
        return [write(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): write(one) for key, one in value.items()}
    return str(value) if type(value) in _PARSED else value


def read(kind: Any, value: Any, *, path: str) -> Any:  # noqa: PLR0911 - one for each kind of type
    """Read a JSON value as a type.

    Raises:
        InvalidField: It is something else; the message begins with the path.
    """
    if kind in _PLAIN:
        return _PLAIN[kind](value, path)
    if kind in _PARSED:
        return _parsed(kind, value, path)
    if is_dataclass(kind):
        return _read_fields(kind, value, path)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType and NoneType in inner:
        return None if value is None else read(inner[0], value, path=path)
    if origin is Literal:
        if value not in inner or not isinstance(value, str):
            raise refused(path, f"is none of: {', '.join(map(repr, inner))}")
        return value
    if origin is tuple:
        return _read_items(inner[0], value, path)
    assert origin is Mapping, kind
    return _read_mapping(inner[1], value, path)


def parse_json(content: bytes) -> Any:
    """Parse JSON bytes: no doubled keys, no NaN, no endless numbers, no endless depth.

    Raises:
        InvalidField: They are something else.
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        raise InvalidField(
            f"a document of {len(content)} bytes",
            reason="FIELD_TOO_LONG",
            hint=f"A document has at most {DOCUMENT_BYTES_MAX} bytes.",
        )
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise refused("the document", f"is not JSON: {str(error)[:120]}") from error


def refused(path: str, why: str) -> InvalidField:
    """Say what is wrong at a place of a document."""
    return InvalidField(
        f"{path} {why}",
        reason="FIELD_INVALID",
        hint="Correct this field of the document; docs/evidence.md lists the fields.",
    )


def _read_fields(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise refused(path, "is no object")
    hints, known = _shape(kind)
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None:
        raise refused(path, f"has an unknown field {ascii(unknown)[:60]}")
    missing = next((n for n, one in known.items() if n not in value and _is_required(one)), None)
    if missing is not None:
        raise refused(f"{path}.{missing}", "is missing")
    return kind(**{n: read(hints[n], one, path=f"{path}.{n}") for n, one in value.items()})


def _read_items(kind: Any, value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > ITEMS_MAX:
        raise refused(path, f"is no list of at most {ITEMS_MAX} items")
    return tuple(read(kind, one, path=f"{path}[{n}]") for n, one in enumerate(value))


def _read_mapping(kind: Any, value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or len(value) > KEYS_MAX:
        raise refused(path, f"is no object of at most {KEYS_MAX} keys")
    found = {_text(k, path): read(kind, one, path=f"{path}.{k[:40]}") for k, one in value.items()}
    return MappingProxyType(found)


@lru_cache(maxsize=64)
def _shape(kind: Any) -> tuple[dict[str, Any], dict[str, Field[Any]]]:
    return get_type_hints(kind), {one.name: one for one in fields(kind)}


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _is_required(one: Field[Any]) -> bool:
    return _default(one) is MISSING


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise refused(path, "is no text")
    check_text(path, value, chars_max=TEXT_CHARS_MAX, lines=True)
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise refused(path, "has half of a character")
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise refused(path, "is neither true nor false")
    return value


def _whole(value: Any, path: str) -> int:
    if type(value) is not int or abs(value) > INTEGER_MAX:
        raise refused(path, "is no whole number of at most 64 bits")
    return value


def _real(value: Any, path: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise refused(path, "is no finite number")
    return float(value)


def _parsed(kind: Any, value: Any, path: str) -> Any:
    try:
        return _PARSED[kind](_text(value, path))
    except RegistryError as error:
        raise refused(path, f"cannot be read: {error}") from error


_PLAIN: Mapping[Any, Callable[[Any, str], Any]] = {
    str: _text,
    bool: _flag,
    int: _whole,
    float: _real,
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _integer(text: str) -> int:
    if len(text) > _NUMBER_CHARS_MAX:
        raise ValueError("a number has too many digits")
    return int(text)
