# SPDX-License-Identifier: Apache-2.0
"""The bounded way back: events of one job, from any thread to the one asyncio reader.

Progress and previews are dropped when the reader is slow, oldest first; images and the end of the
job never are. Knows nothing of what the events mean beyond that.
"""

import asyncio
import threading
from collections import deque

from tabard_server.jobs.job import Done, Event, Failed, ImageReady, Preview, Progress


class Outbox:
    """Events of one job.

    Its bound is `droppable_max` progress and preview events beside one event for each image and
    one for the end. Nothing is taken after the end.

    Attributes:
        dropped: Events that the reader was too slow for.
        unread_bytes: Bytes of finished images that wait for the reader.
    """

    def __init__(self, *, droppable_max: int, reader_loop: asyncio.AbstractEventLoop) -> None:
        """Take the asyncio loop whose one task will read."""
        self._droppable_max = droppable_max
        self._reader_loop = reader_loop
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._arrived = asyncio.Event()
        self._is_ended = False
        self.dropped = 0
        self.unread_bytes = 0

    def put(self, event: Event) -> None:
        """Add an event from any thread; never blocks."""
        with self._lock:
            if self._is_ended:
                return
            self._is_ended = isinstance(event, Done | Failed)
            self._events.append(event)
            self.unread_bytes += _size(event)
            if _is_droppable(event):
                self._drop_oldest()
        try:
            self._reader_loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            # The reader's loop is closed: nobody is left to wake.
            return

    async def get(self) -> Event:
        """Wait for the next event. One reader only."""
        while True:
            with self._lock:
                if self._events:
                    event = self._events.popleft()
                    self.unread_bytes -= _size(event)
                    return event
                self._arrived.clear()
            await self._arrived.wait()

    def _drop_oldest(self) -> None:
        droppable = [event for event in self._events if _is_droppable(event)]
        if len(droppable) > self._droppable_max:
            self._events.remove(droppable[0])
            self.dropped += 1


def _size(event: Event) -> int:
    """Return the bytes of a finished image; the rest is small, or dropped."""
    return len(event.png) if isinstance(event, ImageReady) else 0


def _is_droppable(event: Event) -> bool:
    return isinstance(event, Progress | Preview)
