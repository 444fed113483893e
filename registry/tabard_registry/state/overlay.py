# SPDX-License-Identifier: Apache-2.0
"""Release lines by name: what a checkpoint holds, and on top of it what changed since.

The base may hold millions of lines that nobody has looked at yet; it is never copied. Iteration is
in the order of the names as text.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Protocol

from tabard_registry.refs.names import AdapterName
from tabard_registry.release.release import Adapter

_RECENT_MIN = 256
_OLD_PER_RECENT = 16


class Base(Protocol):
    """What lies below: sorted by the names' text, immutable, cheap to ask."""

    def __len__(self) -> int:
        """How many lines."""
        ...

    def find(self, name: AdapterName) -> Adapter | None:
        """Return one line, or None."""
        ...

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        ...

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines that mention a digest; perhaps others too."""
        ...

    def lines(self) -> Iterator[tuple[str, Adapter]]:
        """Yield every line with its name's text, in order; none of them is kept."""
        ...


class Nothing:
    """The base of a registry that was read from its first record on."""

    def __len__(self) -> int:
        return 0

    def find(self, name: AdapterName) -> Adapter | None:
        """Return None."""
        del name
        return None

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield nothing."""
        del text
        return iter(())

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield nothing."""
        del hex_digits
        return iter(())

    def lines(self) -> Iterator[tuple[str, Adapter]]:
        """Yield nothing."""
        return iter(())


class Overlay(Mapping[AdapterName, Adapter]):
    """An immutable mapping; `Changes` makes the next one.

    What changed lies in two layers, so that the next mapping copies only the small one.
    """

    __slots__ = ("_added_count", "_base", "_old", "_recent")

    def __init__(
        self, base: Base, *, changed: Mapping[AdapterName, Adapter], added_count: int
    ) -> None:
        """Take a base, the lines that differ from it, and how many of those it lacks."""
        self._base = base
        self._old = _Layer(changed)
        self._recent = _NO_LINES
        self._added_count = added_count

    def __getitem__(self, name: AdapterName) -> Adapter:
        recent, old = self._recent.lines, self._old.lines
        found = recent.get(name) or old.get(name) or self._base.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[AdapterName]:
        return self.names_from("")

    def __len__(self) -> int:
        return len(self._base) + self._added_count

    @property
    def base(self) -> Base:
        """What lies below."""
        return self._base

    @property
    def changed(self) -> Mapping[AdapterName, Adapter]:
        """What differs from the base."""
        return MappingProxyType({**self._old.lines, **self._recent.lines})

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        last = None
        layers = (self._old.names_from(text), self._recent.names_from(text))
        for name in heapq.merge(*layers, self._base.names_from(text), key=str):
            if name != last:
                yield name
            last = name

    def lines(self) -> Iterator[Adapter]:
        """Yield every line in the order of the names, for those who read all and keep none."""
        changed = {str(name): line for name, line in self.changed.items()}
        mine = ((text, changed[text]) for text in sorted(changed))
        base = ((text, line) for text, line in self._base.lines() if text not in changed)
        return (line for _, line in heapq.merge(mine, base, key=itemgetter(0)))

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines with a release that needs the blob; perhaps others too."""
        yield from self._recent.names_with(hex_digits)
        yield from self._old.names_with(hex_digits)
        yield from self._base.names_with(hex_digits)

    def changes(self) -> Changes:
        """Begin the next mapping."""
        return Changes(self)

    def with_lines(self, lines: Mapping[AdapterName, Adapter], *, added_count: int) -> Overlay:
        """Return the mapping with other recent lines, which are this one's and more."""
        if len(lines) > max(_RECENT_MIN, len(self._old.lines) // _OLD_PER_RECENT):
            merged = {**self._old.lines, **lines}
            return Overlay(self._base, changed=merged, added_count=added_count)
        after = Overlay(self._base, changed={}, added_count=added_count)
        after._old, after._recent = self._old, _Layer(lines)
        return after

    @property
    def recent(self) -> Mapping[AdapterName, Adapter]:
        """The small layer."""
        return self._recent.lines

    @property
    def added_count(self) -> int:
        """How many lines the base lacks."""
        return self._added_count


class Changes:
    """The lines while records are folded into them. One thread."""

    def __init__(self, before: Overlay) -> None:
        self._before = before
        self._recent = dict(before.recent)
        self._added_count = before.added_count

    def get(self, name: AdapterName) -> Adapter | None:
        """Return one line, or None."""
        return self._recent.get(name) or self._before.get(name)

    def put(self, line: Adapter) -> None:
        """Replace or add one line."""
        if line.name not in self._recent and line.name not in self._before:
            self._added_count += 1
        self._recent[line.name] = line

    def freeze(self) -> Overlay:
        """Return the mapping; this object is not used afterwards."""
        return self._before.with_lines(self._recent, added_count=self._added_count)


class _Layer:
    """Some lines, and what is asked of them; each answer is prepared once. Immutable."""

    __slots__ = ("_by_blob", "_texts", "lines")

    def __init__(self, lines: Mapping[AdapterName, Adapter]) -> None:
        self.lines = lines
        self._texts: list[str] | None = None
        self._by_blob: dict[str, set[AdapterName]] | None = None

    def names_from(self, text: str) -> Iterator[AdapterName]:
        if self._texts is None:
            self._texts = sorted(map(str, self.lines))
        texts = self._texts
        found = range(bisect_left(texts, text), len(texts))
        return (AdapterName.parse(texts[index]) for index in found)

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        if self._by_blob is None:
            self._by_blob = _names_by_blob(self.lines.values())
        return iter(self._by_blob.get(hex_digits, ()))


def _names_by_blob(lines: Iterable[Adapter]) -> dict[str, set[AdapterName]]:
    found: dict[str, set[AdapterName]] = {}
    for line in lines:
        for release in line.by_digest.values():
            for digest in release.blobs:
                found.setdefault(digest.hex, set()).add(line.name)
    return found


_NO_LINES = _Layer({})
EMPTY = Overlay(Nothing(), changed={}, added_count=0)
"""No lines at all."""
