# SPDX-License-Identifier: Apache-2.0
"""The release lines of a checkpoint, left as bytes until somebody asks for one.

In: the uncompressed checkpoint. Out: a sorted base for the state, of millions of releases in little
more memory than their text. A line is found by bisection and read alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from tabard_registry.checkpoint.lazy import adapter_of
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.release import Adapter

LINES_KEPT_MAX = 4_096
"""How many release lines are kept as values."""

_NEWLINE, _HEAD = ord("\n"), b'["'
_SCAN_BYTES = 16 << 20
_FENCE_STEP = 4


class PackedLines:
    """Release lines sorted by the text of their names. Immutable; safe in any thread."""

    def __init__(self, content: bytes | bytearray, *, start: int) -> None:
        """Index the lines of `content` from the offset `start` on."""
        lines = _line_starts(content, start=start)
        self._content = content
        self._view = memoryview(content)
        self._heads = array("q", _heads_of(content, lines=lines).tobytes())
        self._lines = array("q", lines.tobytes())
        # Bisection over a few names that lie together spares most steps a walk through the content.
        self._fences = [self._name(at) for at in range(0, len(self._heads), _FENCE_STEP)]
        self._load = lru_cache(maxsize=LINES_KEPT_MAX)(self._read_named)

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, name: AdapterName) -> Adapter | None:
        """Return one line, or None."""
        return self._load(name)

    def lines(self) -> Iterator[tuple[str, Adapter]]:
        """Yield every line with its name's text, in order; none of them is kept."""
        for position in range(len(self._heads)):
            text = self._name(position).decode()
            yield text, self._read(position, name=AdapterName.parse(text))

    def names_from(self, text: str) -> Iterator[AdapterName]:
        """Yield the names whose text is `text` or greater, in order."""
        for position in range(self._position(text.encode()), len(self._heads)):
            yield AdapterName.parse(self._name(position).decode())

    def names_with(self, hex_digits: str) -> Iterator[AdapterName]:
        """Yield the names of lines that mention a digest."""
        wanted, last = hex_digits.encode(), -1
        offset = self._content.find(wanted, self._lines[0])
        while offset >= 0:
            position = bisect_right(self._heads, offset, key=self._lines.__getitem__) - 1
            if position != last:
                yield AdapterName.parse(self._name(position).decode())
            last = position
            offset = self._content.find(wanted, offset + len(wanted))

    def blocks(self) -> Iterator[tuple[str, bytes | bytearray]]:
        """Yield each name with the bytes of all its lines, in order."""
        offsets = chain((self._lines[head] for head in self._heads), [len(self._content)])
        for position, (begin, end) in enumerate(pairwise(offsets)):
            yield self._name(position).decode(), self._content[begin:end]

    def line(self, index: int) -> memoryview:
        """Return the bytes of one line."""
        return self._view[self._lines[index] : self._lines[index + 1]]

    def _position(self, text: bytes) -> int:
        begin = self._fenced(text)
        end = min(begin + _FENCE_STEP, len(self._heads))
        return bisect_left(range(end), text, lo=begin, key=self._name)

    def _fenced(self, text: bytes) -> int:
        """Return the first of the few positions among which a name is, if it is there."""
        return max(0, bisect_right(self._fences, text) - 1) * _FENCE_STEP

    def _name(self, position: int) -> bytes:
        begin = self._lines[self._heads[position]] + len(_HEAD)
        return bytes(self._content[begin : self._content.index(b'"', begin)])

    def _read_named(self, name: AdapterName) -> Adapter | None:
        text = str(name).encode()
        begin = self._fenced(text)
        mark = text + b'"'
        for position in range(begin, min(begin + _FENCE_STEP, len(self._heads))):
            if self._content.startswith(mark, self._lines[self._heads[position]] + len(_HEAD)):
                return self._read(position, name=name)
        return None

    def _read(self, position: int, *, name: AdapterName) -> Adapter:
        return adapter_of(self, head=self._heads[position], name=name)


def _line_starts(content: bytes | bytearray, *, start: int) -> NDArray[np.int64]:
    """Find where lines begin; the last number is the end of the content."""
    found = [np.array([start], dtype=np.int64)]
    for begin in range(start, len(content), _SCAN_BYTES):
        piece = np.frombuffer(content, dtype=np.uint8)[begin : begin + _SCAN_BYTES]
        found.append(np.flatnonzero(piece == _NEWLINE) + begin + 1)
    return np.concatenate(found)


def _heads_of(content: bytes | bytearray, *, lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find which lines are the head of a release line."""
    begun = np.frombuffer(content, dtype=np.uint8)[lines[:-1] + 1]
    return np.flatnonzero(begun == _HEAD[1])
