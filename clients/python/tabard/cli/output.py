# SPDX-License-Identifier: Apache-2.0
"""How a command answers: its result on stdout, as text or as one JSON document; rest on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tabard.cli.exit_codes import exit_code
from tabard.errors import TabardError

_PIPE_COLUMNS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The voice of one command; streams are looked up when used, so tests can capture them."""

    is_json: bool

    def answer(self, value: Any, *text: RenderableType) -> None:
        """Give the command's one answer: `value` as JSON, or the text for people."""
        if self.is_json:
            sys.stdout.write(to_json(value) + "\n")
            return
        console = _console(sys.stdout)
        for one in text:
            _print(console, one)

    def answer_line(self, value: Any, text: RenderableType) -> None:
        """Give one of many answers of a command that never ends by itself: JSON Lines, or text."""
        if self.is_json:
            sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            _print(_console(sys.stdout), text)

    def say(self, text: RenderableType) -> None:
        """Tell a person something on the way; silent with `--json`."""
        if not self.is_json:
            _print(_console(sys.stderr), text)

    @contextmanager
    def progress(self, description: str, *, total: int) -> Iterator[ProgressBar]:
        """Show a bar on stderr while the block runs; only on a terminal."""
        console = _console(sys.stderr)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        with bar:
            yield ProgressBar(bar=bar, task=bar.add_task(description, total=total))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBar:
    """A running bar."""

    bar: Progress
    task: Any

    def set(self, done: int, *, total: int | None = None) -> None:
        """Move the bar to `done` of `total`."""
        self.bar.update(self.task, completed=done, total=total)


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


def to_json(value: Any) -> str:
    """Give a value, its dataclasses turned into objects, as indented JSON."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def table(*columns: str, rows: Sequence[Sequence[str]]) -> Table:
    """Give a quiet table."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def fields(pairs: Mapping[str, str]) -> Table:
    """Give names and values as two columns; empty values are left out."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            made.add_row(name, Text(value))
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


def _print(console: Console, one: RenderableType) -> None:
    # Sentences stay on one line for `grep`; only tables are laid out.
    is_text = isinstance(one, str | Text)
    console.print(one, markup=False, highlight=False, soft_wrap=is_text)


def _console(stream: Any) -> Console:
    return Console(file=stream, width=None if stream.isatty() else _PIPE_COLUMNS)
