# SPDX-License-Identifier: Apache-2.0
"""A few threads that do the same to many things: for waiting on a store, not for computing.

Bounded: never more than some batches of work are waiting, however many things there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

WORKERS_MAX = 8
"""How many calls to a store run at once, unless told otherwise."""

_BATCH_PER_WORKER = 32

Thing = TypeVar("Thing")
Result = TypeVar("Result")
Progress = Callable[[str, int, int | None], None]
"""Is told what is being done, how much of it is done, and of how much, if that is known."""


def no_progress(_what: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


def each(
    function: Callable[[Thing], Result], things: Iterable[Thing], *, workers: int = WORKERS_MAX
) -> Iterator[Result]:
    """Call a function on everything, several at once, and yield the results in order.

    One worker calls in this thread. The first exception ends it; what runs already is finished.
    """
    if workers <= 1:
        yield from map(function, things)
        return
    left = iter(things)
    with ThreadPoolExecutor(workers, thread_name_prefix="tabard-upkeep") as pool:
        while batch := list(islice(left, workers * _BATCH_PER_WORKER)):
            yield from pool.map(function, batch)
