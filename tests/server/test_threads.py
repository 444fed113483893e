# SPDX-License-Identifier: Apache-2.0
"""Worker threads for what waits: so many at once, results and errors to who asked."""

import asyncio
import threading

import pytest

from tabard_server.threads import Threads
from tests.server.harness import PATIENCE_SECONDS


def test_answer_comes_from_a_named_thread() -> None:
    """Arguments go in, the result comes back, and not from the asyncio thread."""

    def call(one: int, *, other: int) -> tuple[int, str]:
        return one + other, threading.current_thread().name

    async def walk() -> tuple[int, str]:
        threads = Threads("reads", threads_max=1)
        try:
            return await threads.run(call, 1, other=2)
        finally:
            threads.close()

    found, name = asyncio.run(walk())

    assert found == 3
    assert name.startswith("tabard-reads")


def test_error_reaches_who_asked() -> None:
    """The next call is none the wiser."""

    async def walk() -> int:
        threads = Threads("reads", threads_max=1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        found = await threads.run(lambda: 1)
        threads.close()
        return found

    assert asyncio.run(walk()) == 1


def test_no_more_at_once_than_threads() -> None:
    """What comes beyond waits in line, however many call."""
    running, most, gate = set[int](), list[int](), threading.Semaphore(0)

    def call(number: int) -> None:
        running.add(number)
        most.append(len(running))
        assert gate.acquire(timeout=PATIENCE_SECONDS)
        running.remove(number)

    async def walk() -> None:
        threads = Threads("reads", threads_max=2)
        calls = [asyncio.ensure_future(threads.run(call, number)) for number in range(6)]
        gate.release(len(calls))
        await asyncio.gather(*calls)
        threads.close()

    asyncio.run(walk())

    assert len(most) == 6
    assert max(most) <= 2


def test_closed_threads_begin_nothing() -> None:
    """What waits in line is cancelled, what runs ends by itself; closing twice is fine."""
    began, may_end = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return "whole"

    async def walk() -> tuple[str, bool]:
        threads = Threads("reads", threads_max=1)
        running = asyncio.ensure_future(threads.run(slow))
        waiting = asyncio.ensure_future(threads.run(lambda: "late"))
        await asyncio.to_thread(began.wait, PATIENCE_SECONDS)
        threads.close()
        threads.close()
        may_end.set()
        await asyncio.wait([waiting])
        return await running, waiting.cancelled()

    assert asyncio.run(walk()) == ("whole", True)
