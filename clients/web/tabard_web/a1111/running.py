# SPDX-License-Identifier: Apache-2.0
"""What each caller has drawn at this gateway now: its progress, and how it is interrupted.

A1111 draws one thing at a time, and everybody sees it. Here each caller sees and interrupts what is
their own. In: events of the SDK. Out: A1111's progress.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Hashable
from datetime import UTC, datetime
from typing import Any

from tabard import GeneratedImage, GenerateEvent, Preview, Progress


class Drawing:
    """One request under way."""

    def __init__(self, job: str, *, count: int, began_at: float) -> None:
        """Take what is drawn, how many images of it, and when it began."""
        self.images: dict[int, GeneratedImage] = {}
        self._job = job
        self._count = count
        self._began_at = began_at
        self._steps: dict[int, int] = {}
        self._steps_of_each = 0
        self._look = b""
        self._interrupted = asyncio.Event()

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody had enough of it."""
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        """End it; what is drawn by now is kept."""
        self._interrupted.set()

    def feed(self, event: GenerateEvent) -> None:
        """Take the next event."""
        match event:
            case Progress(index=index, step=step, steps=steps):
                self._steps[index], self._steps_of_each = step, steps
            case Preview(content=content):
                self._look = content
            case GeneratedImage(index=index):
                self.images[index] = event
            case _:
                pass

    async def until_interrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work, or its interruption, whichever comes first; the work has ended then."""
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.gather(working, ending, return_exceptions=True)

    def progress(self, *, now: float, with_image: bool) -> dict[str, Any]:
        """Give A1111's progress of it."""
        # What was asked for may be far more than any server draws, so it is not walked over.
        unfinished = (step for index, step in self._steps.items() if index not in self.images)
        done = len(self.images) + sum(unfinished) / max(1, self._steps_of_each)
        share = done / self._count
        current = max(self._steps, default=0)
        seconds = now - self._began_at
        return {
            "progress": share,
            "eta_relative": seconds / share - seconds if share else 0.0,
            "state": {
                **_IDLE_STATE,
                "interrupted": self.is_interrupted,
                "job": self._job,
                "job_count": self._count,
                "job_timestamp": f"{datetime.fromtimestamp(self._began_at, UTC):%Y%m%d%H%M%S}",
                "job_no": len(self.images),
                "sampling_step": self._steps.get(current, 0),
                "sampling_steps": self._steps_of_each,
            },
            "current_image": base64.b64encode(self._look).decode()
            if with_image and self._look
            else None,
            "textinfo": None,
        }


_IDLE_STATE: dict[str, Any] = {
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}


class Running:
    """What is drawn now, by caller, the oldest first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take what tells the time, in seconds since 1970."""
        self._clock = clock
        self._drawings: dict[Hashable, list[Drawing]] = {}

    def begin(self, caller: Hashable, job: str, *, count: int) -> Drawing:
        """Note that a caller has something drawn."""
        drawing = Drawing(job, count=count, began_at=self._clock())
        self._drawings.setdefault(caller, []).append(drawing)
        return drawing

    def end(self, caller: Hashable, drawing: Drawing) -> None:
        """Note that it is over."""
        drawings = self._drawings[caller]
        drawings.remove(drawing)
        if not drawings:
            del self._drawings[caller]

    def interrupt(self, caller: Hashable) -> None:
        """End all that a caller has drawn."""
        for drawing in self._drawings.get(caller, ()):
            drawing.interrupt()

    def progress(self, caller: Hashable, *, with_image: bool) -> dict[str, Any]:
        """Give the progress of the oldest thing that a caller has drawn."""
        for drawing in self._drawings.get(caller, ()):
            return drawing.progress(now=self._clock(), with_image=with_image)
        idle = {"progress": 0.0, "eta_relative": 0.0, "state": dict(_IDLE_STATE)}
        return {**idle, "current_image": None, "textinfo": None}
