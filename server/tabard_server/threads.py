# SPDX-License-Identifier: Apache-2.0
"""Worker threads for what may wait on a store: so many at once, and the rest in line.

In: blocking calls of the asyncio thread. Out: their results. Knows nothing of what they do.
"""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

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
