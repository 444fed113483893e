# SPDX-License-Identifier: Apache-2.0
"""Measures pieces of work on the device without waiting for it.

On a CPU a piece is over when its call returns. On CUDA events are put into the stream before and
after it, and read once the device has passed them. One thread.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tabard_server.engine_port.costs import Costs

_SHARE_OF_NEW = 0.3
_PENDING_MAX = 256

Work = tuple[str, int]
"""What was done, and for how many rows at once; 0 where that does not matter."""


class Stopwatch:
    """Averages by kind of work, newer times counting more."""

    def __init__(self, device: torch.device) -> None:
        self._is_cuda = device.type == "cuda"
        self._seconds: dict[Work, float] = {}
        self._pending: deque[tuple[Work, int, Any, Any]] = deque(maxlen=_PENDING_MAX)

    @contextmanager
    def timing(self, what: str, *, rows: int = 0, pieces: int = 1) -> Iterator[None]:
        """Time the block; one that raises is not counted.

        Args:
            what: `bare_step`, `row_step`, `merged_step`, `merge`, `opening` or `decoding`.
            rows: How many rows shared it, where steps of more rows take longer.
            pieces: How many such pieces the block holds.
        """
        if self._is_cuda:
            begin, end = _event(), _event()
            begin.record()
            yield
            end.record()
            self._pending.append(((what, rows), pieces, begin, end))
            return
        begun_at = time.perf_counter()
        yield
        self._note((what, rows), (time.perf_counter() - begun_at) / pieces)

    def costs(self) -> Costs:
        """Return what is known now."""
        while self._pending and self._pending[0][3].query():
            kind, pieces, begin, end = self._pending.popleft()
            self._note(kind, begin.elapsed_time(end) / 1000.0 / pieces)
        return Costs(
            bare_steps=self._by_rows("bare_step"),
            row_steps=self._by_rows("row_step"),
            merged_steps=self._by_rows("merged_step"),
            merge=self._seconds.get(("merge", 0), 0.0),
            opening=self._seconds.get(("opening", 0), 0.0),
            decoding=self._seconds.get(("decoding", 0), 0.0),
        )

    def _by_rows(self, what: str) -> dict[int, float]:
        return {rows: seconds for (kind, rows), seconds in self._seconds.items() if kind == what}

    def _note(self, kind: Work, seconds: float) -> None:
        before = self._seconds.get(kind, seconds)
        self._seconds[kind] = before + _SHARE_OF_NEW * (seconds - before)


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
