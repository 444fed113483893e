# SPDX-License-Identifier: Apache-2.0
"""Connections to a gateway: how many there may be, and how long one may keep it waiting.

In: bounds. Out: what uvicorn makes for each connection. A connection that is too slow is cut off,
for it has said nothing that could be answered, or reads no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from tabard_web.bounds import Bounds


def connection_type(bounds: Bounds) -> type[asyncio.Protocol]:
    """Make the type of connections that keep to some bounds."""

    class Connection(_Connection):
        def __init__(self, *said: Any, **named: Any) -> None:
            super().__init__(*said, **named)
            self.bounds = bounds

    return Connection


class _Connection(H11Protocol):
    """One connection."""

    bounds: Bounds

    def __init__(self, *said: Any, **named: Any) -> None:
        super().__init__(*said, **named)
        self._asking = _Patience(self.loop, self._cut_off)
        self._reading = _Patience(self.loop, self._look_at_reader)
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections_max:
            transport.abort()
            return
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        super().connection_lost(exc)
        self._asking.end()
        self._reading.end()

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        super().data_received(data)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._wait_for_request()

    def pause_writing(self) -> None:
        """Learn that the other side reads more slowly than it is answered."""
        self.flow.pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._reading.begin(self.bounds.reader_seconds_max)

    def resume_writing(self) -> None:
        """Learn that it reads again."""
        self.flow.resume_writing()
        self._reading.end()

    def _wait_for_request(self) -> None:
        """Wait for the head of a request, and no longer once it is answered."""
        if self.cycle is None or self.cycle.response_complete:
            self._asking.begin(self.bounds.head_seconds_max)
        else:
            self._asking.end()

    def _look_at_reader(self) -> None:
        """Cut off who has read nothing since it was looked at last."""
        unread = self.transport.get_write_buffer_size()
        if unread >= self._unread:
            self._cut_off()
            return
        self._unread = unread
        self._reading.begin(self.bounds.reader_seconds_max)

    def _cut_off(self) -> None:
        self.transport.abort()


class _Patience:
    """Does something when a time is up that began and did not end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
        self._loop = loop
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> None:
        """Begin the time; one that runs already runs on."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._is_up)

    def end(self) -> None:
        """End it in time. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_up(self) -> None:
        self._timer = None
        self._act()
