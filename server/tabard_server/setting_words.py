# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a value of a setting, in our own words and never in those of a library.

In: one error of pydantic. Out: what to write instead. Repeats no value: it may be a secret.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, get_args

from pydantic.fields import FieldInfo

_LIKENESS_MIN = 0.5
_ASK = "`tabard config example` says what it means"
_KINDS: Mapping[str, str] = {
    "int": "write a whole number",
    "float": "write a number",
    "finite": "write a number that is not infinite",
    "bool": "write true or false",
    "string": "write a text",
    "tuple": "write an array of tables",
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


def what_to_write(error: Mapping[str, Any], *, field: FieldInfo | None) -> str:
    """Say what a setting takes.

    Args:
        error: One of the errors of a failed validation.
        field: The setting; None: it is a section.
    """
    kind = str(error["type"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(error["ctx"][name])
    if kind == "literal_error" and field is not None:
        return _choices(field, said=error["input"])
    return _KINDS.get(kind.partition("_")[0], _ASK)


def _choices(field: FieldInfo, *, said: object) -> str:
    known = [word for word in _literals(field.annotation) if isinstance(word, str)]
    # Of equally near ones the first of the setting: float8 is as like float16 as float64.
    likeness = {word: SequenceMatcher(None, str(said), word).ratio() for word in known}
    near = max(known, key=lambda word: likeness[word])
    meant = f"; did you mean {near}?" if likeness[near] >= _LIKENESS_MIN else ""
    return f"write {' or '.join(known)}{meant}"


def _literals(annotation: Any) -> list[object]:
    """Return the words of a Literal, within a union too."""
    parts = get_args(annotation)
    return [one for part in parts for one in (_literals(part) or [part])] if parts else []
