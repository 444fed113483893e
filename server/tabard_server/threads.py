# SPDX-License-Identifier: Apache-2.0
"""Threads beside the asyncio thread: a bounded pool for what waits, and single ones for a lifetime.

In: blocking calls. Out: their results. Knows nothing of what they do.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A bounded pool of its own, so that one kind of waiting never holds up another."""

    def __init__(self, name: str, *, threads_max: int) -> None:
        """Take the name that the threads carry; none is started before it is needed."""
        self._executor = ThreadPoolExecutor(
            max_workers=threads_max, thread_name_prefix=f"tabard-{name}"
        )

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in a worker thread. A caller that gives up does not stop what has begun."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, functools.partial(call, *args, **kwargs))

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for. Idempotent."""
        self._executor.shutdown(wait=False, cancel_futures=True)


async def unless_set(event: asyncio.Event, result: Coroutine[Any, Any, T]) -> T | None:
    """Wait for a result; None as soon as the event is set."""
    waiting, setting = asyncio.ensure_future(result), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((waiting, setting), return_when=asyncio.FIRST_COMPLETED)
        return None if event.is_set() else await waiting
    finally:
        for task in (waiting, setting):
            task.cancel()


class Daemon(Generic[T]):
    """One thread for one long call. It never keeps the process from ending."""

    def __init__(self, name: str, call: Callable[[], T]) -> None:
        """Take the name of the thread and what it does; nothing runs before `start`."""
        self._call = call
        self._result: Future[T] = Future()
        # So that somebody who waits and gives up cannot cancel it: it runs on.
        self._result.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin the call."""
        self._thread.start()

    @property
    def is_dead(self) -> bool:
        """Say whether it began and is over, well or badly."""
        return self._thread.ident is not None and not self._thread.is_alive()

    async def result(self) -> T:
        """Wait for its end; return what the call returned, or raise what it raised."""
        return await asyncio.wrap_future(self._result)

    def _run(self) -> None:
        try:
            result = self._call()
        except BaseException as error:
            # The outermost frame of this thread: whoever waits for its result is told.
            self._result.set_exception(error)
        else:
            self._result.set_result(result)
