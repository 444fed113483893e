# SPDX-License-Identifier: Apache-2.0
"""Exceptions for single layers in PEFT's configurations: `alpha_pattern` and `rank_pattern`.

A table of patterns and the names of modules come in; the exception of each module goes out. PEFT
runs patterns as regular expressions. They come from outside, so here they are names and nothing
else, whole (`^`) or the last parts of one; a dot may be escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

_NAME = re.compile(r"(\^?)((?:\w|\.|\\\.)+)\$?", re.ASCII)
_NUMBER_MAX = 1e300
_SHOWN_MAX = 3


class BadPatterns(Exception):
    """A table of patterns cannot be used; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    order: int
    written: str
    is_whole: bool
    value: float


def exceptions_of(
    table: Any, *, modules: Iterable[tuple[str, ...]], field: str, may_overlap: bool = False
) -> Mapping[str, float]:
    """Return the exceptions by module.

    Args:
        table: What stands in the configuration: patterns, and a number for each.
        modules: For every module all names that it has or had with its writers, the first is ours.
        field: What messages call the table.
        may_overlap: Whether the first of several that fit counts, as something else shows whether
            it was the writer's. PEFT sorts tables when it saves, and the first here may not have
            been the first in the training.

    Raises:
        BadPatterns: An entry is no name or no number, fits no module, or is not the only answer.
    """
    if not table:
        return {}
    patterns = _parse(table, field=field)
    exceptions: dict[str, float] = {}
    used: set[int] = set()
    for names in modules:
        fitting = [pattern for name in names for pattern in _fitting(patterns, name)]
        first = [one for name in names if (one := _first(patterns, name)) is not None]
        found = first if may_overlap else fitting
        used |= {pattern.order for pattern in fitting}
        if len({pattern.value for pattern in found}) > 1:
            raise BadPatterns(f"{field} says two things of {names[0]}")
        if found:
            exceptions[names[0]] = found[0].value
    idle = [p.written for same in patterns.values() for p in same if p.order not in used]
    if idle:
        more = f" and {len(idle) - _SHOWN_MAX} more" if len(idle) > _SHOWN_MAX else ""
        named = ", ".join(f"{pattern[:80]!r}" for pattern in idle[:_SHOWN_MAX])
        raise BadPatterns(f"{field} has {named}{more}, which is no layer of this base")
    return exceptions


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of a configuration is a number that can be used."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < _NUMBER_MAX


def _parse(table: Any, *, field: str) -> Mapping[str, list[_Pattern]]:
    """Return the patterns by the name that they stand for."""
    if not isinstance(table, dict):
        raise BadPatterns(f"{field} is not a table")
    patterns: dict[str, list[_Pattern]] = {}
    for order, (written, value) in enumerate(table.items()):
        found = _NAME.fullmatch(written)
        if found is None:
            raise BadPatterns(
                f"{field} has the regular expression {written[:80]!r}, and none is run here"
            )
        if not is_number(value):
            raise BadPatterns(f"{field} has no number for {written[:80]!r}")
        pattern = _Pattern(
            order=order, written=written, is_whole=bool(found[1]), value=float(value)
        )
        patterns.setdefault(found[2].replace("\\.", "."), []).append(pattern)
    return patterns


def _first(patterns: Mapping[str, list[_Pattern]], name: str) -> _Pattern | None:
    return min(_fitting(patterns, name), key=lambda pattern: pattern.order, default=None)


def _fitting(patterns: Mapping[str, list[_Pattern]], name: str) -> Iterator[_Pattern]:
    """Yield every pattern that PEFT's search would find: the name, or its end behind a dot."""
    rest = name
    while rest:
        for pattern in patterns.get(rest, ()):
            if rest == name or not pattern.is_whole:
                yield pattern
        rest = rest.partition(".")[2]
