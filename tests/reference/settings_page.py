# SPDX-License-Identifier: Apache-2.0
"""docs/settings.md: every setting with its kind, its default and its meaning, from the fields."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from tabard_server.settings import Settings

NAME = "settings.md"

_HEAD = """\
# Settings of a server

Written from the code by `make reference`; a test holds it current. `tabard config example` writes
them as a TOML file, `tabard config show` tells which are in force and who said so, and
`tabard config check FILE` whether a server would start with them.

A setting is said in a file (`tabard serve --config FILE`, sections as tables), by a variable
(`TABARD_LISTEN`, `TABARD_LIMITS_STEPS_MAX`) or as an option (`--listen`, or
`--set limits.steps_max=80`); later ones win. Names that nobody knows are refused, with the nearest
that is known.
"""
_KINDS = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret text",
}
_BOUNDS = {Gt: ("gt", "above"), Ge: ("ge", "from"), Lt: ("lt", "below"), Le: ("le", "to")}


def written() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_section(Settings, prefix="", title="The server")])


def _section(model: type[BaseModel], *, prefix: str, title: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield from ("| setting | takes | default | |", "|---|---|---|---|")
    inner = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner.append((name, field.annotation))
            continue
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_takes(field)} | {_default(field)} | {meaning} |"
    yield ""
    for name, found in inner:
        yield from _section(found, prefix=f"{name}.", title=f"`[{name}]`")


def _takes(field: FieldInfo) -> str:
    kind = _kind(field.annotation)
    bounds = [_bound(one) for one in _metadata(field)]
    return " ".join([kind, *(one for one in bounds if one)])


def _kind(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "tables"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in parts)
    if origin is tuple:
        kind = _kind(parts[0])
        return f"list of {kind}" if kind.endswith("s") else f"list of {kind}s"
    if origin in (Union, UnionType):
        return ", or ".join(_kind(one) for one in parts if one is not NoneType)
    return _kind(parts[0]) if parts else _KINDS[annotation]


def _metadata(field: FieldInfo) -> list[Any]:
    """Return the bounds of a field, also those of a kind within a union."""
    found = list(field.metadata)
    for part in get_args(field.annotation):
        found += list(getattr(part, "__metadata__", ()))
    return found


def _bound(one: Any) -> str:
    for kind, (attribute, word) in _BOUNDS.items():
        if isinstance(one, kind):
            return f"{word} {getattr(one, attribute):g}"
    return "that is not empty" if isinstance(one, MinLen) else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        return "empty"
    if value is None:
        return "unset"
    text = json.dumps(value) if not isinstance(value, str) else value
    # Where a home is, is another thing on every machine.
    text = text.replace(str(Path.home()), "~")
    return f"`{text}`" if text else "empty"
