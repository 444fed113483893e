# SPDX-License-Identifier: Apache-2.0
"""How a command answers: its result on stdout, as text or as one JSON document; rest on stderr.

The one place where text reaches a terminal: whatever it is made of, it steers none. A line stays
one line; only cells of tables keep the line breaks of what they hold, in their column.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, TypeAlias

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Span, Text

from tabard.cli.exit_codes import exit_code
from tabard.cli.printable import is_shown, printable
from tabard.errors import TabardError

Answer: TypeAlias = str | Text | Table | Group
"""A line, a line with styles, what `table` and `fields` make, or several of these in a group."""

_PIPE_COLUMNS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The voice of one command; streams are looked up when used, so tests can capture them."""

    is_json: bool

    def answer(self, value: Any, *text: Answer) -> None:
        """Give the command's one answer: `value` as JSON, or the text for people."""
        if self.is_json:
            sys.stdout.write(to_json(value) + "\n")
            return
        console = _console(sys.stdout)
        for one in text:
            _print(console, one)

    def answer_line(self, value: Any, text: Answer) -> None:
        """Give one of many answers of a command that never ends by itself: JSON Lines, or text."""
        if self.is_json:
            sys.stdout.write(to_json(value, indent=None) + "\n")
            sys.stdout.flush()
        else:
            _print(_console(sys.stdout), text)

    def say(self, text: Answer) -> None:
        """Tell a person something on the way; silent with `--json`."""
        if not self.is_json:
            _print(_console(sys.stderr), text)

    @contextmanager
    def progress(self, description: str, *, total: int) -> Iterator[ProgressBar]:
        """Show a bar on stderr while the block runs; only on a terminal."""
        console = _console(sys.stderr)
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        with bar:
            yield ProgressBar(bar=bar, task=bar.add_task(printable(description), total=total))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBar:
    """A running bar."""

    bar: Progress
    task: Any

    def set(self, done: int, *, total: int | None = None) -> None:
        """Move the bar to `done` of `total`."""
        self.bar.update(self.task, completed=done, total=total)

    def describe(self, what: str) -> None:
        """Say what is being done now."""
        self.bar.update(self.task, description=printable(what))


def show_error(error: TabardError, *, is_json: bool) -> None:
    """Say what went wrong and what to do next on stderr; with `--json` also as the answer."""
    console = _console(sys.stderr)
    restated = [one.field for one in error.violations if one.description.startswith(str(error))]
    where = f" ({', '.join(restated)})" if restated else ""
    _print(console, Text.assemble(("error: ", "bold red"), str(error), where))
    for violation in error.violations:
        if violation.field not in restated:
            _print(console, f"  {violation.field}: {violation.description}")
    if error.reason:
        _print(console, f"reason: {error.reason}")
    if error.hint:
        _print(console, f"hint: {error.hint}")
    if error.retry_after_seconds is not None:
        _print(console, f"retry after: {error.retry_after_seconds:g} s")
    if is_json:
        document = {
            "message": str(error),
            "status": error.status,
            "reason": error.reason,
            "hint": error.hint,
            "violations": [asdict(violation) for violation in error.violations],
            "retry_after_seconds": error.retry_after_seconds,
            "exit_code": exit_code(error),
        }
        sys.stdout.write(to_json({"error": document}) + "\n")


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """Give a value, its dataclasses turned into objects, as JSON; exact, and safe to look at."""
    document = json.dumps(_plain(value), indent=indent, ensure_ascii=False)
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(
        char if char == "\n" or is_shown(char) else json.dumps(char)[1:-1] for char in document
    ).replace("\x7f", "\\u007f")


def table(*columns: str, rows: Sequence[Sequence[str]]) -> Table:
    """Give a quiet table."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell, lines=True)) for cell in row))
    return made


def fields(pairs: Mapping[str, str]) -> Table:
    """Give names and values as two columns; empty values are left out."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            made.add_row(Text(printable(name)), Text(printable(value, lines=True)))
    return made


def short(digest: str) -> str:
    """Give the first hex digits of a digest, enough to name it."""
    return digest[: len("sha256:") + 12]


def size(count_bytes: int) -> str:
    """Give a number of bytes for people."""
    number = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _print(console: Console, one: Answer) -> None:
    if isinstance(one, Group):
        for part in one.renderables:
            assert isinstance(part, str | Text | Table | Group)
            _print(console, part)
    elif isinstance(one, Table):
        console.print(one, markup=False, highlight=False)
    else:
        # Sentences stay on one line for `grep`; only tables are laid out.
        text = printable(one) if isinstance(one, str) else _printable_text(one)
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _printable_text(text: Text) -> Text:
    """Escape what steers, and keep the styles of the rest."""
    if text.plain.isprintable():
        return text
    steering = [at for at, char in enumerate(text.plain) if not is_shown(char)]
    pieces = text.divide(sorted({edge for at in steering for edge in (at, at + 1)}))
    for piece in pieces:
        if len(piece) == 1 and not is_shown(piece.plain):
            # The styles of the one character are those of all that stands in its place.
            styles = [span.style for span in piece.spans]
            piece.plain = printable(piece.plain)
            piece.spans = [Span(0, len(piece), style) for style in styles]
    return Text(style=text.style).join(pieces)


def _console(stream: Any) -> Console:
    return Console(file=stream, width=None if stream.isatty() else _PIPE_COLUMNS)
