# SPDX-License-Identifier: Apache-2.0
"""Release lines by name: what a checkpoint holds, and on top of it what changed since.

The base may hold millions of lines that nobody has looked at yet; it is never copied. Iteration is
in the order of the names as text.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
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


class Lines:
    """Some lines in memory: a `Base`, or what differs from it. Each answer is prepared once."""

    __slots__ = ("_by_blob", "_texts", "by_name")

    def __init__(self, by_name: Mapping[AdapterName, Adapter]) -> None:
        self.by_name = by_name
        self._texts: list[str] | None = None
        self._by_blob: dict[str, set[AdapterName]] | None = None

    def __len__(self) -> int:
        return len(self.by_name)

    def find(self, name: AdapterName) -> Adapter | None:
        """Return one line, or None."""
        return self.by_name.get(name)

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        if self._texts is None:
            self._texts = sorted(map(str, self.by_name))
        texts = self._texts
        found = range(bisect_left(texts, text), len(texts))
        return (AdapterName.parse(texts[index]) for index in found)

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines with a release that needs the blob."""
        if self._by_blob is None:
            self._by_blob = _names_by_blob(self.by_name.values())
        return iter(self._by_blob.get(hex_digits, ()))

    def lines(self) -> Iterator[tuple[str, Adapter]]:
        """Yield every line with its name's text, in order."""
        return ((str(name), self.by_name[name]) for name in self.names_from(""))


_NO_LINES = Lines({})


class Overlay(Mapping[AdapterName, Adapter]):
    """An immutable mapping; `Changes` makes the next one.

    What changed lies in two layers, so that the next mapping copies only the small one.

    Attributes:
        base: What lies below.
        recent: The small layer.
        added_count: How many lines the base lacks.
    """

    __slots__ = ("_layers", "_old", "added_count", "base", "recent")

    def __init__(
        self,
        base: Base,
        *,
        old: Lines = _NO_LINES,
        recent: Lines = _NO_LINES,
        added_count: int = 0,
    ) -> None:
        """Take a base, and what differs from it: since long, and of late."""
        self.base = base
        self.recent = recent
        self.added_count = added_count
        self._old = old
        # Every resolve of a line that nobody changed would look into the others, too.
        self._layers = tuple(layer for layer in (recent, old, base) if len(layer))

    def __getitem__(self, name: AdapterName) -> Adapter:
        for layer in self._layers:
            found = layer.find(name)
            if found is not None:
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[AdapterName]:
        return self.names_from("")

    def __len__(self) -> int:
        return len(self.base) + self.added_count

    @property
    def changed(self) -> Mapping[AdapterName, Adapter]:
        """What differs from the base."""
        return MappingProxyType({**self._old.by_name, **self.recent.by_name})

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        found = heapq.merge(*(layer.names_from(text) for layer in self._layers), key=str)
        return (name for name, _ in groupby(found))

    def lines(self) -> Iterator[Adapter]:
        """Yield every line in the order of the names, for those who read all and keep none."""
        text_of = itemgetter(0)
        found = heapq.merge(*(layer.lines() for layer in self._layers), key=text_of)
        # Of equal names the newest comes first.
        return (next(same)[1] for _, same in groupby(found, key=text_of))

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines with a release that needs the blob; perhaps others too."""
        return chain.from_iterable(layer.names_with(hex_digits) for layer in self._layers)

    def changes(self) -> Changes:
        """Begin the next mapping."""
        return Changes(self)

    def with_lines(self, lines: Mapping[AdapterName, Adapter], *, added_count: int) -> Overlay:
        """Return the mapping with other recent lines, which are this one's and more."""
        if len(lines) > max(_RECENT_MIN, len(self._old) // _OLD_PER_RECENT):
            merged = Lines({**self._old.by_name, **lines})
            return Overlay(self.base, old=merged, added_count=added_count)
        return Overlay(self.base, old=self._old, recent=Lines(lines), added_count=added_count)


class Changes:
    """The lines while records are folded into them. One thread."""

    def __init__(self, before: Overlay) -> None:
        self._before = before
        self._recent = dict(before.recent.by_name)
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


def _names_by_blob(lines: Iterable[Adapter]) -> dict[str, set[AdapterName]]:
    found: dict[str, set[AdapterName]] = {}
    for line in lines:
        for release in line.by_digest.values():
            for digest in (*release.blobs, *(member.digest for member in release.members)):
                found.setdefault(digest.hex, set()).add(line.name)
    return found


EMPTY = Overlay(_NO_LINES)
"""No lines at all."""
