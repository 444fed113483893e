# SPDX-License-Identifier: Apache-2.0
"""Pictures are worked on a few at once, and never in the way of other requests."""

import asyncio
import threading

import pytest

from tabard_web.bounds import Bounds
from tabard_web.pictures import studio
from tabard_web.pictures.formats import Format
from tests.web.running import PATIENCE_SECONDS


def test_few_pictures_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third one waits, and the loop goes on meanwhile."""
    begun, go = threading.Semaphore(0), threading.Event()
    at_once: list[int] = []
    now = 0
    lock = threading.Lock()

    def write(png: bytes, kind: Format, *, quality: int) -> bytes:
        nonlocal now
        with lock:
            now += 1
            at_once.append(now)
        begun.release()
        assert go.wait(PATIENCE_SECONDS)
        with lock:
            now -= 1
        return png

    monkeypatch.setattr(studio, "written_as", write)

    async def walk() -> list[bytes]:
        room = studio.Studio(Bounds(pictures_converted_max=2))
        writing = [asyncio.create_task(room.write(b"x", "jpeg")) for _ in range(5)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        go.set()
        return await asyncio.gather(*writing)

    assert asyncio.run(walk()) == [b"x"] * 5
    assert max(at_once) == 2


def test_png_waits_for_nobody() -> None:
    """It stays as it is."""
    assert asyncio.run(studio.Studio(Bounds()).write(b"x", "png")) == b"x"
