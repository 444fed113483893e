# SPDX-License-Identifier: Apache-2.0
"""Measures pieces of work on the device without waiting for it.

On a CPU a piece is over when its call returns. On CUDA events are put into the stream before and
after it, and read once the device has passed them. One thread; what is known may be read by any.
"""

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch

from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.work import Estimate, Work

_SHARE_OF_NEW = 0.3
_PENDING_MAX = 256
_PACES_MAX = 256
"""Passes that are remembered: with newer ones of any size, what was seen of one is forgotten."""
_PACES_MIN = 3
"""Passes of one size that say something: the first may have had to set things up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What is timed.

    Attributes:
        what: Its kind.
        rows: How many rows shared it; 0 where that does not matter.
        pieces: How many such pieces were timed at once.
        size: Of the images, where that matters.
        samples: Samples of the pass.
    """

    what: str
    rows: int
    pieces: int
    size: Size | None
    samples: int


class Stopwatch:
    """Averages by kind of work, newer times counting more.

    Attributes:
        work: What passes take by size; replaced whole, so that any thread may read it.
    """

    def __init__(self, device: torch.device) -> None:
        self.work = Work()
        self._is_cuda = device.type == "cuda"
        self._seconds: dict[tuple[str, int], float] = {}
        self._pending: deque[tuple[_Piece, Any, Any]] = deque(maxlen=_PENDING_MAX)
        self._paces: dict[str, deque[tuple[int, float]]] = {
            name: deque(maxlen=_PACES_MAX) for name in ("step", "decoding")
        }

    @contextmanager
    def timing(
        self,
        what: str,
        *,
        rows: int = 0,
        pieces: int = 1,
        size: Size | None = None,
        samples: int = 1,
    ) -> Iterator[None]:
        """Time the block; one that raises is not counted.

        Args:
            what: `bare_step`, `row_step`, `merged_step`, `merge`, `opening` or `decoding`.
            rows: How many rows shared it, where steps of more rows take longer; a row in parts
                counts as many.
            pieces: How many such pieces the block holds.
            size: Of the images of a step or of a decoding.
            samples: Samples of the pass.
        """
        piece = _Piece(what=what, rows=rows, pieces=pieces, size=size, samples=samples)
        if self._is_cuda:
            begin, end = _event(), _event()
            begin.record()
            yield
            end.record()
            self._pending.append((piece, begin, end))
            return
        begun_at = time.perf_counter()
        yield
        self._note(piece, time.perf_counter() - begun_at)

    def costs(self) -> Costs:
        """Return what is known now."""
        while self._pending and self._pending[0][2].query():
            piece, begin, end = self._pending.popleft()
            self._note(piece, begin.elapsed_time(end) / 1000.0)
        return Costs(
            bare_steps=self._by_rows("bare_step"),
            row_steps=self._by_rows("row_step"),
            merged_steps=self._by_rows("merged_step"),
            merge=self._seconds.get(("merge", 0), 0.0),
            opening=self._seconds.get(("opening", 0), 0.0),
            work=self.work,
        )

    def _by_rows(self, what: str) -> dict[int, float]:
        return {rows: seconds for (kind, rows), seconds in self._seconds.items() if kind == what}

    def _note(self, piece: _Piece, seconds: float) -> None:
        kind, each = (piece.what, piece.rows), seconds / piece.pieces
        before = self._seconds.get(kind, each)
        self._seconds[kind] = before + _SHARE_OF_NEW * (each - before)
        if piece.size is None:
            return
        if piece.what == "decoding":
            decoding = self._paced("decoding", self.work.decoding, piece, seconds)
            self.work = replace(self.work, decoding=decoding)
        else:
            step = self._paced("step", self.work.step, piece, seconds)
            self.work = replace(self.work, step=step)

    def _paced(self, name: str, before: Estimate, piece: _Piece, seconds: float) -> Estimate:
        """Return an estimate that knows of one more pass."""
        assert piece.size is not None, "this work has no size"
        expected = before.curve.at(piece.size, samples=piece.samples)
        if not expected:
            return before
        seen = self._paces[name]
        seen.append((math.prod(piece.size), seconds / expected))
        by_pixels: dict[int, list[float]] = {}
        for pixels, pace in seen:
            by_pixels.setdefault(pixels, []).append(pace)
        paces = {
            pixels: median(found) for pixels, found in by_pixels.items() if len(found) >= _PACES_MIN
        }
        return replace(before, paces=paces)


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
