# SPDX-License-Identifier: Apache-2.0
"""How a command answers: its result on stdout, as text or as one JSON document; rest on stderr.

The one place where text reaches a terminal: whatever it is made of, it steers none. A line stays
one line; only cells of tables keep the line breaks of what they hold, in their column.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import IO, TYPE_CHECKING, Any

import click

from tabard.cli.exit_codes import exit_code
from tabard.cli.layout import Answer, Table, Text, lines_of
from tabard.cli.printable import is_shown, printable
from tabard.errors import TabardError
from tabard.pictures.inline import protocol_of, shown

if TYPE_CHECKING:
    from tabard.releases.release import Member

_PIPE_COLUMNS = 160
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The voice of one command; streams are looked up when used, so tests can capture them.

    Attributes:
        is_json: The answer is JSON, and nobody is told anything on the way.
        is_quiet: Nobody is told anything on the way.
        is_verbose: What is usually not worth a line is told, too.
    """

    is_json: bool
    is_quiet: bool = False
    is_verbose: bool = False

    def answer(self, value: Any, *text: Answer) -> None:
        """Give the command's one answer: `value` as JSON, or the text for people."""
        if self.is_json:
            sys.stdout.write(to_json(value) + "\n")
            return
        for one in text:
            _print(one, stream=sys.stdout)

    def answer_line(self, value: Any, text: Answer) -> None:
        """Give one of many answers of a command that never ends by itself: JSON Lines, or text."""
        if self.is_json:
            sys.stdout.write(to_json(value, indent=None) + "\n")
        else:
            _print(text, stream=sys.stdout)
        sys.stdout.flush()

    @property
    def can_redraw(self) -> bool:
        """Whether stdout is a terminal on which a screen can replace another."""
        return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")

    @property
    def can_show_pictures(self) -> bool:
        """Whether stdout is a terminal that shows pictures among its lines."""
        return not self.is_json and sys.stdout.isatty() and bool(protocol_of(os.environ))

    def show_picture(self, png: bytes) -> None:
        """Show a picture, where that can be."""
        if self.can_show_pictures:
            sys.stdout.write(shown(png, protocol=protocol_of(os.environ)))
            sys.stdout.flush()

    def redraw(self, *text: Answer) -> None:
        """Show a screen in place of the one before; what is higher than the terminal is cut off."""
        columns, height = _size()
        lines = [line for one in text for line in lines_of(one, columns=columns)][: height - 1]
        if _wants_colour() is False:
            lines = [click.unstyle(line) for line in lines]
        screen = "".join(f"{line}{_CLEAR_LINE}\n" for line in lines)
        sys.stdout.write(f"{_HOME}{screen}{_CLEAR_BELOW}")
        sys.stdout.flush()

    def say(self, text: Answer) -> None:
        """Tell a person something on the way; silent with `--json` and `--quiet`."""
        if not (self.is_json or self.is_quiet):
            _print(text, stream=sys.stderr)

    def detail(self, text: Answer) -> None:
        """Tell what only those want to know who say `--verbose`."""
        if self.is_verbose:
            _print(text, stream=sys.stderr)

    @contextmanager
    def progress(self, description: str, *, total: int) -> Iterator[ProgressBar]:
        """Show a bar on stderr while the block runs; only on a terminal."""
        if self.is_json or self.is_quiet or not sys.stderr.isatty():
            yield ProgressBar(bar=None)
            return
        with click.progressbar(
            length=total, label=printable(description), file=sys.stderr, show_pos=True
        ) as bar:
            yield ProgressBar(bar=bar)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBar:
    """A running bar, or one that nobody sees."""

    bar: Any

    def set(self, done: int, *, total: int | None = None) -> None:
        """Move the bar to `done` of `total`."""
        if self.bar is None:
            return
        if total is not None:
            self.bar.length = total
        self.bar.update(done - self.bar.pos)

    def describe(self, what: str) -> None:
        """Say what is being done now."""
        if self.bar is not None:
            self.bar.label = printable(what)
            self.bar.render_progress()


def show_error(error: TabardError, *, is_json: bool) -> None:
    """Say what went wrong and what to do next on stderr; with `--json` also as the answer."""
    restated = [one.field for one in error.violations if one.description.startswith(str(error))]
    unnamed = [field for field in restated if field not in str(error)]
    where = f" ({', '.join(unnamed)})" if unnamed else ""
    lines: list[Answer] = [Text.assemble(("error: ", "bold red"), str(error), where)]
    lines += [
        f"  {one.field}: {one.description}" for one in error.violations if one.field not in restated
    ]
    if error.reason:
        lines.append(f"reason: {error.reason}")
    if error.hint:
        lines.append(f"hint: {error.hint}")
    if error.retry_after_seconds is not None:
        lines.append(f"retry after: {error.retry_after_seconds:g} s")
    for line in lines:
        _print(line, stream=sys.stderr)
    if is_json:
        answer_error(error, code=exit_code(error), also={})


def answer_error(error: TabardError, *, code: int, also: Mapping[str, Any]) -> None:
    """Give an error as the answer: one line, which ends a stream of lines as well.

    `also` is what a command says of its error beside what every error has.
    """
    document = {
        "message": str(error),
        "status": error.status,
        "reason": error.reason,
        "hint": error.hint,
        "violations": [asdict(violation) for violation in error.violations],
        "retry_after_seconds": error.retry_after_seconds,
        "exit_code": code,
        **also,
    }
    sys.stdout.write(to_json({"error": document}, indent=None) + "\n")


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
    return Table(rows, heading=columns)


def fields(pairs: Mapping[str, str]) -> Table:
    """Give names and values as two columns; empty values are left out."""
    return Table([pair for pair in pairs.items() if pair[1]])


def member_table(members: Sequence[Member]) -> Table:
    """Give the members of a recipe as a table."""
    rows = [(one.adapter, one.version, f"{one.weight:g}", short(one.digest)) for one in members]
    return table("member", "version", "weight", "digest", rows=rows)


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


def _print(answer: Answer, *, stream: IO[str]) -> None:
    columns = _size()[0] if stream.isatty() else _PIPE_COLUMNS
    for line in lines_of(answer, columns=columns):
        click.echo(line, file=stream, color=_wants_colour())


def _wants_colour() -> bool | None:
    # Styles are for terminals alone, and not even for those whose owner wants none.
    return False if "NO_COLOR" in os.environ else None


def _size() -> tuple[int, int]:
    from shutil import get_terminal_size  # noqa: PLC0415 - only terminals have a size

    return get_terminal_size()
