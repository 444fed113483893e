# SPDX-License-Identifier: Apache-2.0
"""Cuts a long prompt into windows of a text encoder's length, as people know it from A1111.

In: units of tokens that stay together. Out: lists of units, each of which fits. A window prefers
to end behind a comma when one is near its end. Knows no words and no tensors.
"""

from collections.abc import Iterable
from dataclasses import dataclass

COMMA_REACH = 20
"""How many tokens before the end of a window a comma is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Tokens that are never separated: one word piece, or all vectors of a placeholder.

    Attributes:
        ids: Token ids.
        weight: How strongly they act.
        is_comma: Whether a window may well end behind it.
        is_break: Whether a window ends here; such a unit has no ids.
        placeholder: The taught word that it is; empty: it is none.
    """

    ids: tuple[int, ...] = ()
    weight: float = 1.0
    is_comma: bool = False
    is_break: bool = False
    placeholder: str = ""


def cut(units: Iterable[Unit], *, size: int) -> list[list[Unit]]:
    """Cut units into windows of at most `size` tokens; at least one window, maybe empty.

    Args:
        units: In order; none has more than `size` ids.
        size: Tokens of a window, without begin and end.
    """
    windows: list[list[Unit]] = [[]]
    for unit in units:
        assert len(unit.ids) <= size, "a unit is larger than a window"
        if unit.is_break:
            windows.append([])
            continue
        if _count(windows[-1]) + len(unit.ids) > size:
            kept, moved = (windows[-1], []) if unit.is_comma else _part(windows[-1])
            windows[-1] = kept
            windows.append(moved)
            if _count(moved) + len(unit.ids) > size:
                windows.append([])
        windows[-1].append(unit)
    return windows


def _part(window: list[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Return what stays and what moves on: the words behind the last comma, if it is near."""
    moved = 0
    for place in range(len(window) - 1, -1, -1):
        if window[place].is_comma:
            return window[: place + 1], window[place + 1 :]
        moved += len(window[place].ids)
        if moved > COMMA_REACH:
            break
    return window, []


def _count(window: Iterable[Unit]) -> int:
    return sum(len(unit.ids) for unit in window)
