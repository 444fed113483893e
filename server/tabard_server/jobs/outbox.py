# SPDX-License-Identifier: Apache-2.0
"""The bounded way back: events of one job, from any thread to its one asyncio reader.

Progress and previews are dropped when the reader is slow, oldest first; images and the end of the
job never are. Of a job that is kept, another reader can have them again. Knows nothing of what the
events mean beyond that.
"""

import asyncio
import threading

from tabard_server.callers.caller import Caller
from tabard_server.errors import Overloaded, ReadElsewhere
from tabard_server.jobs.job import Done, Event, Failed, ImageReady, Preview, Progress
from tabard_server.limits import Limits


class Outbox:
    """Events of one job.

    Its bound is `droppable_max` progress and preview events beside one event for each image and
    one for the end. Nothing is taken after the end.

    Attributes:
        dropped: Events that the reader was too slow for.
        unread_bytes: Bytes of finished images that wait for the reader.
    """

    def __init__(
        self, *, droppable_max: int, reader_loop: asyncio.AbstractEventLoop, keeps: bool = False
    ) -> None:
        """Take the asyncio loop whose tasks will read, one at a time.

        `keeps` says that images and the end are kept for another reader, until `forget`.
        """
        self._droppable_max = droppable_max
        self._reader_loop = reader_loop
        self._keeps = keeps
        # Thousands wait and have nothing to read: an empty list is an eleventh of an empty deque.
        self._events: list[Event] = []
        self._read: list[Event] = []
        self._reader: Reader | None = None
        self._lock = threading.Lock()
        self._arrived = asyncio.Event()
        self._is_ended = False
        self._is_forgotten = False
        self._read_bytes = 0
        self.dropped = 0
        self.unread_bytes = 0

    @property
    def kept_bytes(self) -> int:
        """Bytes of images that are here for another reader alone."""
        with self._lock:
            return self._read_bytes + (0 if self._reader else self.unread_bytes)

    def put(self, event: Event) -> None:
        """Add an event from any thread; never blocks."""
        with self._lock:
            if self._is_ended or (self._is_forgotten and self._reader is None):
                return
            self._is_ended = isinstance(event, Done | Failed)
            # A failure that nobody reads now may lie here for long.
            self._events.append(event if self._reader else _bare(event))
            self.unread_bytes += _size(event)
            if _is_droppable(event):
                self._drop_oldest()
        try:
            self._reader_loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            # The reader's loop is closed: nobody is left to wake.
            return

    def attach(self) -> "Reader":
        """Return a new reader; who read before is told to go. In the reader's loop.

        Of a job that is kept it has every image again, and the end.
        """
        with self._lock:
            self._reader = reader = Reader(self)
            self._events[:0] = self._read
            self.unread_bytes += self._read_bytes
            self._read, self._read_bytes = [], 0
        self._arrived.set()
        return reader

    def forget(self) -> None:
        """Keep nothing any more; a reader that is here goes on. Idempotent."""
        with self._lock:
            self._keeps, self._is_forgotten = False, True
            self._read, self._read_bytes = [], 0
            if self._reader is None:
                self._events.clear()
                self.unread_bytes = 0

    async def get(self, reader: "Reader") -> Event:
        """Wait for the next event; only `Reader` calls this."""
        while True:
            with self._lock:
                if self._reader is not reader:
                    raise ReadElsewhere(
                        "a newer call with the same request id reads this job now",
                        hint="nothing to do: that call has all of it",
                    )
                if self._events:
                    return self._pop()
                self._arrived.clear()
            await self._arrived.wait()

    def detach(self, reader: "Reader") -> bool:
        """Read no more; only `Reader` calls this."""
        with self._lock:
            if self._reader is not reader:
                return False
            self._reader = None
            if self._is_forgotten:
                self._events.clear()
                self.unread_bytes = 0
            return True

    def _pop(self) -> Event:
        event = self._events.pop(0)
        self.unread_bytes -= _size(event)
        if self._keeps and not _is_droppable(event):
            self._read.append(_bare(event))
            self._read_bytes += _size(event)
        return event

    def _drop_oldest(self) -> None:
        droppable = [event for event in self._events if _is_droppable(event)]
        if len(droppable) > self._droppable_max:
            self._events.remove(droppable[0])
            self.dropped += 1


class Reader:
    """Who reads an outbox now."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def get(self) -> Event:
        """Wait for the next event.

        Raises:
            ReadElsewhere: There is a newer reader.
        """
        return await self._outbox.get(self)

    def leave(self) -> bool:
        """Read no more; say whether nobody reads now. Idempotent."""
        return self._outbox.detach(self)


class Unread:
    """What callers have not read yet. One asyncio thread."""

    def __init__(self, limits: Limits) -> None:
        """Take how much that may be."""
        self._limits = limits
        self._outboxes: dict[int, tuple[Caller, Outbox]] = {}

    def __len__(self) -> int:
        return len(self._outboxes)

    def add(self, outbox: Outbox, *, caller: Caller, ticket: int) -> None:
        """Count what a caller reads from now on, by the ticket of its job."""
        self._outboxes[ticket] = caller, outbox

    def remove(self, ticket: int) -> None:
        """Count it no more."""
        del self._outboxes[ticket]

    def refuse_slow_reader(self, caller: Caller) -> None:
        """Draw no more for a caller who does not take what was drawn, and fills the memory so.

        Raises:
            Overloaded: It is so.
        """
        most = self._limits.outbox_bytes_max
        held = [(whose, outbox.unread_bytes) for whose, outbox in self._outboxes.values()]
        mine = sum(unread for whose, unread in held if whose == caller)
        is_full = sum(unread for _whose, unread in held) >= most
        if mine and (is_full or mine >= most * self._limits.caller_share_max):
            raise Overloaded(
                f"this caller has {mine} bytes of finished images that it has not read",
                reason="IMAGES_UNREAD",
                hint="read them, then ask again (limits.outbox_bytes_max, limits.caller_share_max)",
                retry_seconds=self._limits.retry_seconds,
            )


def bare(error: Exception) -> Exception:
    """Return an error that says the same and holds nothing of where it was raised."""
    copy = type(error).__new__(type(error))
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy


def _bare(event: Event) -> Event:
    return Failed(error=bare(event.error)) if isinstance(event, Failed) else event


def _size(event: Event) -> int:
    """Return the bytes of a finished image; the rest is small, or dropped."""
    return len(event.content) if isinstance(event, ImageReady) else 0


def _is_droppable(event: Event) -> bool:
    return isinstance(event, Progress | Preview)
