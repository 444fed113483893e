# SPDX-License-Identifier: Apache-2.0
"""What an answer is made of, and the lines it becomes: sentences, lists of fields, tables.

In: texts of anybody. Out: lines that a terminal only shows, with our own styles and no others.
Sentences stay one line, for `grep`; only cells are folded, and keep their line breaks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import click

from tabard.cli.printable import printable

_GAP = "  "
_CELL_MIN = 8
_STYLES = ("bold", "dim", "red", "green", "yellow")


class Text:
    """A line with styles: `Text("done", "bold green")`, or several parts by `assemble`."""

    __slots__ = ("parts",)

    def __init__(self, text: str, style: str = "") -> None:
        self.parts: tuple[tuple[str, str], ...] = ((text, style),)

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str]) -> Text:
        """Make one line of plain parts and of parts with their style."""
        made = cls("")
        made.parts = tuple((one, "") if isinstance(one, str) else one for one in parts)
        return made


class Table:
    """Rows of cells; with a heading, or with names in its first column."""

    __slots__ = ("heading", "rows")

    def __init__(self, rows: Sequence[Sequence[str]], *, heading: Sequence[str] = ()) -> None:
        self.rows = rows
        self.heading = heading


class Group:
    """Several answers, one below the other."""

    __slots__ = ("members",)

    def __init__(self, *members: Answer) -> None:
        self.members = members


Answer: TypeAlias = str | Text | Table | Group
"""A line, a line with styles, what `output.table` and `output.fields` make, or several of these."""


def lines_of(answer: Answer, *, columns: int) -> Iterator[str]:
    """Yield the lines of an answer; tables are laid out in so many columns."""
    if isinstance(answer, Group):
        for one in answer.members:
            yield from lines_of(one, columns=columns)
    elif isinstance(answer, Table):
        yield from _laid_out(answer, columns=columns)
    elif isinstance(answer, Text):
        yield "".join(_styled(printable(text), style) for text, style in answer.parts)
    else:
        yield printable(answer)


def width_of(text: str) -> int:
    """Say how many columns of a terminal a text takes: two a wide letter, none an accent."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _styled(text: str, style: str) -> str:
    words = style.split()
    assert all(word in _STYLES for word in words), style
    colour = next((word for word in words if word not in ("bold", "dim")), None)
    if not words or not text:
        return text
    return click.style(text, fg=colour, bold="bold" in words or None, dim="dim" in words or None)


def _laid_out(table: Table, *, columns: int) -> Iterator[str]:
    cells = [[printable(cell, lines=True) for cell in row] for row in table.rows]
    heading = [printable(cell) for cell in table.heading]
    every = [*([heading] if heading else []), *cells]
    if not every:
        return
    natural = [max(map(_longest, column)) for column in zip(*every, strict=True)]
    widths = _fitted(natural, columns=columns)
    if heading:
        yield from _row(heading, widths, styles=("dim",) * len(widths))
    for row in cells:
        yield from _row(row, widths, styles=("",) if heading else ("dim",))


def _longest(cell: str) -> int:
    return max(map(width_of, cell.split("\n")))


def _fitted(natural: Sequence[int], *, columns: int) -> list[int]:
    """Make the widest columns narrower, those of one width together, until all of them fit."""
    widths = list(natural)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - columns
    while excess > 0 and max(widths) > _CELL_MIN:
        widest = max(widths)
        second = max((width for width in widths if width < widest), default=_CELL_MIN)
        among = [at for at, width in enumerate(widths) if width == widest]
        cut = min(-(-excess // len(among)), widest - max(second, _CELL_MIN))
        for at in among:
            widths[at] -= cut
        excess -= cut * len(among)
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], *, styles: Sequence[str]) -> Iterator[str]:
    folded = [list(_folded(*pair)) for pair in zip(cells, widths, strict=True)]
    for number in range(max(map(len, folded))):
        parts = []
        for at, (lines, width) in enumerate(zip(folded, widths, strict=True)):
            text = lines[number] if number < len(lines) else ""
            padding = " " * (width - width_of(text))
            parts.append(_styled(text, styles[at] if at < len(styles) else "") + padding)
        yield _GAP.join(parts).rstrip()


def _folded(cell: str, width: int) -> Iterator[str]:
    """Break lines between words where that is possible."""
    for line in cell.split("\n"):
        rest = line
        while width_of(rest) > width:
            fits = _fitting(rest, width)
            space = rest.rfind(" ", 0, fits + 1)
            end = space if space > 0 else fits
            yield rest[:end].rstrip()
            rest = rest[end:].lstrip()
        yield rest


def _fitting(text: str, width: int) -> int:
    """Say how many characters fit, at least one."""
    taken = 0
    for count, char in enumerate(text):
        taken += width_of(char)
        if taken > width:
            return max(1, count)
    return len(text)
