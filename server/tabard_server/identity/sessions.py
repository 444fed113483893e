# SPDX-License-Identifier: Apache-2.0
"""Calls that go on: each ends when what its caller has shown counts no longer.

In: sessions. Out: blocks that are cut short. What was revoked ends with the records that say so;
what expires, at its time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import Session
from tabard_server.identity.tokens import expired


class Sessions:
    """Whoever is in a call now. Asyncio thread."""

    def __init__(
        self,
        *,
        ended: Callable[[Session], Unauthenticated | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what says why a session counts no longer, and the clock: seconds of the epoch."""
        self._ended = ended
        self._clock = clock
        self._held: dict[asyncio.Timeout, Session] = {}

    @property
    def held(self) -> int:
        """How many calls go on."""
        return len(self._held)

    def review(self) -> None:
        """End the calls of sessions that count no longer."""
        now = asyncio.get_running_loop().time()
        for timer, session in list(self._held.items()):
            if self._ended(session) is not None and not timer.expired():
                timer.reschedule(now)

    @asynccontextmanager
    async def hold(self, session: Session) -> AsyncIterator[None]:
        """Let a block run for as long as a session counts.

        Raises:
            Unauthenticated: It counts no longer.
        """
        seconds = None if session.expires_at is None else session.expires_at - self._clock()
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                self._held[timer] = session
                yield
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._ended(session) or expired(session.identity.name) from None
        finally:
            self._held.pop(timer, None)
