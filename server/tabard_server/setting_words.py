# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a value of a setting, in our own words and never in those of a library.

In: one error of pydantic. Out: what is wrong, and what to write instead. Repeats no text that may
be any: it may be a secret.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher, get_close_matches
from enum import Enum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_LIKENESS_MIN = 0.5
_SHOWN_CHARS_MAX = 60
_OF_TEXTS = ("string", "value_error", "model", "tuple", "json")
"""Beginnings of the kinds of errors of what may be any text."""
_ASK = "`tabard config example` says what it means"
_KINDS: Mapping[str, str] = {
    "int": "write a whole number",
    "float": "write a number",
    "finite": "write a number that is not infinite",
    "bool": "write true or false",
    "string": "write a text",
    "tuple": "write a list of tables, or JSON where it is a text",
    "model": "it is a section: write the names in it, each with a value",
}
"""By the first word of the kind of an error."""
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "write more than {:g}"),
    "greater_than_equal": ("ge", "write {:g} or more"),
    "less_than": ("lt", "write less than {:g}"),
    "less_than_equal": ("le", "write {:g} or less"),
    "string_too_short": ("min_length", "write a text of {:g} or more characters"),
}


def what_is_wrong(error: Mapping[str, Any], *, name: str) -> str:
    """Say where a mistake is, and what was written there.

    Args:
        error: One of the errors of a failed validation.
        name: The setting that it is in, which may hold tables.
    """
    inner = error["loc"][name.count(".") + 1 :]
    tables = [f"table {one + 1}" for one in inner if isinstance(one, int)]
    names = [one for one in inner if isinstance(one, str)]
    where = ", ".join([name, *tables[:1], *names[-1:]])
    if error["type"] == "extra_forbidden":
        return f"{', '.join([name, *tables[:1]])} has no name {_short(names[-1])}"
    if error["type"] == "missing":
        return f"{', '.join([name, *tables[:1]])} lacks {names[-1]}"
    if str(error["type"]).startswith(_OF_TEXTS):
        return f"{where} is wrong"
    return f"{where} is {_short(error['input'])}"


def what_to_write(error: Mapping[str, Any], *, field: FieldInfo | None) -> str:
    """Say what a setting takes.

    Args:
        error: One of the errors of a failed validation.
        field: The setting; None: it is a section.
    """
    kind = str(error["type"])
    names = [one for one in error["loc"] if isinstance(one, str)]
    within = _fields_of_tables(field)
    if within and names[-1] in within:
        field = within[names[-1]]
    if kind == "extra_forbidden" and within:
        near = get_close_matches(names[-1], within, n=1, cutoff=_LIKENESS_MIN)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"write {' or '.join(within)}{meant}"
    if kind == "missing" and within:
        return "write it into the table"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(error["ctx"][name])
    if kind in ("literal_error", "enum") and field is not None and _words(field):
        return _choices(field, said=error["input"])
    if kind in ("too_short", "tuple_type") and within and field is not None and _words(field):
        return f"write a list of one or more of {', '.join(_words(field))}"
    return _KINDS.get(kind.partition("_")[0], _ASK)


def _choices(field: FieldInfo, *, said: object) -> str:
    known = _words(field)
    # Of equally near ones the first of the setting: float8 is as like float16 as float64.
    likeness = {word: SequenceMatcher(None, str(said), word).ratio() for word in known}
    near = max(known, key=lambda word: likeness[word])
    meant = f"; did you mean {near}?" if likeness[near] >= _LIKENESS_MIN else ""
    return f"write {' or '.join(known)}{meant}"


def _words(field: FieldInfo) -> list[str]:
    return [str(word) for word in _literals(field.annotation) if isinstance(word, str)]


def _fields_of_tables(field: FieldInfo | None) -> Mapping[str, FieldInfo]:
    """Return the fields of the tables that a setting is a list of; none if it is no such list."""
    parts = get_args(field.annotation) if field is not None else ()
    tables = [one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)]
    return tables[0].model_fields if tables else {}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"


def _literals(annotation: Any) -> list[object]:
    """Return the words of a Literal, within a union too."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)
    parts = get_args(annotation)
    return [one for part in parts for one in (_literals(part) or [part])] if parts else []
