# SPDX-License-Identifier: Apache-2.0
"""An event loop whose clock jumps to whatever comes next, and an executor that lives by it.

In: coroutines and callbacks of real code. Out: what they do, without waiting. One thread.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """Waits by moving its clock. Nothing outside of it is heard: it has no sockets."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds

    def _write_to_self(self) -> None:
        """Wake nobody: this loop never sleeps."""


class _Jumping(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "nothing is left to do, and somebody waits"
        if timeout > 0:
            self._jump(timeout)
        return []


class VirtualExecutor(Executor):
    """Runs what it is given at the end of the seconds that it takes."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, seconds_of: Callable[[Any], float]
    ) -> None:
        """Take what says how long a piece of work takes, by its argument."""
        self._loop = loop
        self._seconds_of = seconds_of

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **_no: Any) -> Future[Any]:
        """Begin a piece of work."""
        future: Future[Any] = Future()
        seconds = self._seconds_of(*arguments)
        self._loop.call_later(seconds, lambda: future.set_result(work(*arguments)))
        return future


@contextmanager
def virtual_loop() -> Iterator[VirtualLoop]:
    """Give a loop for the length of a `with` block."""
    loop = VirtualLoop()
    try:
        yield loop
    finally:
        loop.close()
