# SPDX-License-Identifier: Apache-2.0
"""Measures the callbacks of an event loop, in CPU time of its own thread."""

import time
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

CPU_SECONDS_MAX = 0.08


@dataclass(slots=True, kw_only=True)
class Watched:
    """The longest callbacks of a loop, in seconds of CPU."""

    long: list[tuple[float, str]] = field(default_factory=list)
    longest: float = 0.0


@contextmanager
def watched_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Measure every callback of the loop of this thread."""
    watched, run = Watched(), Handle._run

    def measured(handle: Handle) -> Any:
        begun = time.thread_time()
        try:
            return run(handle)
        finally:
            seconds = time.thread_time() - begun
            watched.longest = max(watched.longest, seconds)
            if seconds > CPU_SECONDS_MAX:
                watched.long.append((seconds, repr(handle)[:200]))

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "_run", measured)
        yield watched
