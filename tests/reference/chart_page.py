# SPDX-License-Identifier: Apache-2.0
"""docs/chart-values.md: every value of the chart with its default and meaning, from its schema."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.root import ROOT

NAME = "chart-values.md"

_CHART = ROOT / "deploy" / "helm"
_HEAD = """\
# Values of the chart

Written from `deploy/helm` by `make reference`; a test holds it current. How they go together:
[kubernetes.md](kubernetes.md). What is not here is refused, and so is a value of another kind.

| value | default | |
|---|---|---|
"""
_NESTED = {"requests", "limits"}


def written() -> str:
    """Return the page."""
    rows = (
        f"| `{name}` | {_told(value)} | {text} |\n"
        for name, value, text in rows_of(schema(), values())
    )
    return _HEAD + "".join(rows)


def schema() -> Any:
    """Return what says which values there are."""
    return json.loads((_CHART / "values.schema.json").read_text(encoding="utf-8"))


def values() -> Any:
    """Return the defaults."""
    return yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))


def rows_of(schema: Any, values: Any, *, within: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield name, default and meaning of every value; a group has a row of its own first."""
    for name, one in schema["properties"].items():
        if name == "global":
            continue
        path = f"{within}{name}"
        inner = {*one.get("properties", ())} - _NESTED
        if inner:
            yield path, None, one["description"]
            yield from rows_of(one, values[name], within=f"{path}.")
        else:
            kinds = ", ".join(f"`{kind}`" for kind in one.get("enum", ()))
            missing = kinds and not all(f"`{kind}`" in one["description"] for kind in one["enum"])
            text = one["description"] + (f" {kinds}." if missing else "")
            yield path, values[name], text


def _told(value: Any) -> str:
    if value is None:
        return ""
    if value in ("", [], {}):
        return "empty"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"
