# SPDX-License-Identifier: Apache-2.0
"""What an import would do with each adapter of a folder tree: its name, and whether it is taken.

Nothing is published here. A name is the file's own; where that is taken by other bytes, a piece of
the file's digest is added, so that the same file always gets the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tabard.cli.files.sources import file_digest
from tabard.cli.files.ui_folders import NAME_CHARS_MAX, Item, plain_name, title_of
from tabard.cli.local.publishers import Publisher, Wanted
from tabard.errors import InvalidArgument, TabardError
from tabard.releases.report import CheckReport, Problem

BYTES_MAX = 2 << 30
"""Files larger than this are no adapters and are not even sent."""

State = Literal["new", "there", "same", "published", "refused", "failed"]
"""What becomes of an adapter. `there`: published before; `same`: met at another path."""

_DIGITS = 8
_NO_TRIGGER = "NO_TRIGGER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One adapter of an import.

    Attributes:
        place: Its first file, within the tree.
        files: How many files it has.
        name: The adapter that it is or would be; empty when it is refused.
        state: What becomes of it.
        same_as: Where these very files were met before; empty but for the state `same`.
        kind: What it is.
        dialect: Who wrote it.
        rank: Largest rank.
        mode: How it would be worn: `rows` or `merged`.
        trigger_words: Words that wake it.
        problems: Why it is refused, and warnings.
        wanted: What would be published.
    """

    place: str
    files: int
    name: str = ""
    state: State
    same_as: str = ""
    kind: str = ""
    dialect: str = ""
    rank: int = 0
    mode: str = ""
    trigger_words: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    wanted: Wanted | None = field(default=None, repr=False)


def plan_import(
    items: Sequence[Item],
    *,
    publisher: Publisher,
    namespace: str,
    version: str,
    on_progress: Callable[[int], None],
) -> list[Row]:
    """Look at every adapter and say what would become of it."""
    planner = _Planner(publisher=publisher, namespace=namespace, version=version)
    rows: list[Row] = []
    for number, item in enumerate(items, start=1):
        rows.append(planner.row(item))
        on_progress(number)
    return rows


def carry_out(row: Row, *, publisher: Publisher) -> Row:
    """Publish what is new; give the row as it is afterwards."""
    if row.state != "new" or row.wanted is None:
        return row
    try:
        publisher.publish(row.wanted)
    except TabardError as error:
        failure = _problem(error.reason, str(error), remedy=error.hint)
        return replace(row, state="failed", problems=(*row.problems, failure))
    except OSError as error:
        failure = _unreadable(f"it cannot be read: {error.strerror or error}")
        return replace(row, state="failed", problems=(*row.problems, failure))
    return replace(row, state="published")


@dataclass(slots=True, kw_only=True)
class _Planner:
    publisher: Publisher
    namespace: str
    version: str
    taken: dict[str, frozenset[str]] = field(default_factory=dict)

    def row(self, item: Item) -> Row:
        if item.same_as:
            return Row(place=item.place, files=0, state="same", same_as=item.same_as)
        return _refused(item, _unreadable(item.trouble)) if item.trouble else self._row(item)

    def _row(self, item: Item) -> Row:
        try:
            size_bytes = sum(path.stat().st_size for path in item.files)
            if size_bytes > BYTES_MAX:
                return _refused(item, _too_large(size_bytes))
            digests = frozenset(map(file_digest, item.files))
            name, is_there = self._name(item, digests)
            if is_there:
                return Row(place=item.place, files=len(item.files), name=name, state="there")
            words, report = self._check(item)
        except OSError as error:
            return _refused(item, _unreadable(f"it cannot be read: {error.strerror or error}"))
        except InvalidArgument as error:  # it went, or changed, while it was read
            return _refused(item, _problem(error.reason, str(error), remedy=error.hint))
        row = Row(
            place=item.place,
            files=len(item.files),
            name=name if report.accepted else "",
            state="new" if report.accepted else "refused",
            kind=report.kind,
            dialect=report.dialect,
            rank=report.rank,
            mode=report.mode,
            trigger_words=report.trigger_words,
            problems=report.problems,
        )
        if not report.accepted:
            return row
        self.taken[name] = digests
        wanted = Wanted(
            name=name,
            version=self.version,
            files=item.files,
            trigger_words=words,
            notes=item.sidecar.notes,
            title="" if item.stem == name.partition("/")[2] else title_of(item.stem),
        )
        return replace(row, wanted=wanted)

    def _name(self, item: Item, digests: frozenset[str]) -> tuple[str, bool]:
        """Choose a name that is free, or that holds these very bytes."""
        plain = plain_name(item.stem) or "adapter"
        tail = min(digests).removeprefix("sha256:")[:_DIGITS]
        short = plain[: NAME_CHARS_MAX - _DIGITS - 1].rstrip("._-")
        for last in (plain, f"{short}-{tail}"):
            name = f"{self.namespace}/{last}"
            held = self.taken.get(name) or self.publisher.originals(name, self.version)
            if held is None or held == digests:
                return name, held == digests
        return name, False

    def _check(self, item: Item) -> tuple[tuple[str, ...], CheckReport]:
        """Check with the sidecar's words; an embedding is called by its own name, else its file's.

        That is what UIs do.
        """
        said = item.sidecar.trigger_words
        own = "".join(item.stem.split())
        for words in dict.fromkeys((said, (), (own,))):
            report = self.publisher.check(item.files, trigger_words=words)
            nameless = any(problem.reason == _NO_TRIGGER for problem in report.problems)
            if report.accepted or not nameless:
                break
        return words, report


def _refused(item: Item, problem: Problem) -> Row:
    return Row(place=item.place, files=len(item.files), state="refused", problems=(problem,))


def _too_large(size_bytes: int) -> Problem:
    return _problem(
        "TOO_LARGE",
        f"it has {size_bytes} bytes, more than an adapter",
        remedy="Leave whole models out; what was fine-tuned in them has to be extracted first.",
    )


def _unreadable(why: str) -> Problem:
    return _problem("UNREADABLE", why, remedy="Look at its permissions, and where it leads.")


def _problem(reason: str, message: str, *, remedy: str) -> Problem:
    return Problem(reason=reason, message=message, remedy=remedy, keys=(), is_warning=False)
