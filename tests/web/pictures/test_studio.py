# SPDX-License-Identifier: Apache-2.0
"""Pictures are worked on a few at once, and never in the way of other requests."""

import asyncio
import threading

import pytest

from tabard_web.bounds import Bounds
from tabard_web.pictures import studio
from tests.web.running import PATIENCE_SECONDS


def test_few_pictures_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third one waits, and the loop goes on meanwhile."""
    begun, go = threading.Semaphore(0), threading.Event()
    at_once: list[int] = []
    now = 0
    lock = threading.Lock()

    def read(picture: bytes) -> dict[str, str]:
        nonlocal now
        with lock:
            now += 1
            at_once.append(now)
        begun.release()
        assert go.wait(PATIENCE_SECONDS)
        with lock:
            now -= 1
        return {"parameters": picture.decode()}

    monkeypatch.setattr(studio, "read_words", read)

    async def walk() -> list[dict[str, str]]:
        room = studio.Studio(Bounds(pictures_converted_max=2))
        reading = [asyncio.create_task(room.words(b"x")) for _ in range(5)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        go.set()
        return await asyncio.gather(*reading)

    assert asyncio.run(walk()) == [{"parameters": "x"}] * 5
    assert max(at_once) == 2
