# SPDX-License-Identifier: Apache-2.0
"""Release lines by name: what a checkpoint holds, and on top of it what changed since.

The base may hold millions of lines that nobody has looked at yet; it is never copied. Iteration is
in the order of the names as text.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Protocol

from livery_registry.names import AdapterName
from livery_registry.release import Adapter


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
    """An immutable mapping; `Changes` makes the next one."""

    __slots__ = ("_added_count", "_base", "_changed", "_changed_blobs", "_sorted")

    def __init__(
        self, base: Base, *, changed: Mapping[AdapterName, Adapter], added_count: int
    ) -> None:
        """Take a base, the lines that differ from it, and how many of those it lacks."""
        self._base = base
        self._changed = changed
        self._added_count = added_count
        self._sorted: list[str] | None = None
        self._changed_blobs: dict[str, set[AdapterName]] | None = None

    def __getitem__(self, name: AdapterName) -> Adapter:
        found = self._changed.get(name) or self._base.find(name)
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
        return MappingProxyType(dict(self._changed))

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        if self._sorted is None:
            self._sorted = sorted(map(str, self._changed))
        mine = (AdapterName.parse(name) for name in self._sorted if name >= text)
        last = None
        for name in heapq.merge(mine, self._base.names_from(text), key=str):
            if name != last:
                yield name
            last = name

    def lines(self) -> Iterator[Adapter]:
        """Yield every line in the order of the names, for those who read all and keep none."""
        changed = {str(name): line for name, line in self._changed.items()}
        mine = ((text, changed[text]) for text in sorted(changed))
        base = ((text, line) for text, line in self._base.lines() if text not in changed)
        return (line for _, line in heapq.merge(mine, base, key=itemgetter(0)))

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines with a release that needs the blob; perhaps others too."""
        if self._changed_blobs is None:
            self._changed_blobs = _names_by_blob(self._changed.values())
        yield from self._changed_blobs.get(hex_digits, ())
        yield from self._base.names_with(hex_digits)

    def changes(self) -> Changes:
        """Begin the next mapping."""
        return Changes(self._base, changed=dict(self._changed), added_count=self._added_count)


class Changes:
    """The lines while records are folded into them. One thread."""

    def __init__(
        self, base: Base, *, changed: dict[AdapterName, Adapter], added_count: int
    ) -> None:
        self._base = base
        self._changed = changed
        self._added_count = added_count

    def get(self, name: AdapterName) -> Adapter | None:
        """Return one line, or None."""
        return self._changed.get(name) or self._base.find(name)

    def put(self, line: Adapter) -> None:
        """Replace or add one line."""
        if line.name not in self._changed and self._base.find(line.name) is None:
            self._added_count += 1
        self._changed[line.name] = line

    def freeze(self) -> Overlay:
        """Return the mapping; this object is not used afterwards."""
        return Overlay(self._base, changed=self._changed, added_count=self._added_count)


def _names_by_blob(lines: Iterable[Adapter]) -> dict[str, set[AdapterName]]:
    found: dict[str, set[AdapterName]] = {}
    for line in lines:
        for release in line.by_digest.values():
            for digest in release.blobs:
                found.setdefault(digest.hex, set()).add(line.name)
    return found


EMPTY = Overlay(Nothing(), changed={}, added_count=0)
"""No lines at all."""
