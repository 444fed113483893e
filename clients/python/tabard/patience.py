# SPDX-License-Identifier: Apache-2.0
"""How long a watch that lost its server tries to find it again: growing pauses, and an end.

In: what failed, and what worked. Out: seconds to wait, or the failure itself. Waits for nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tabard.errors import TabardError

WATCH_PATIENCE_SECONDS = 60.0

_PAUSE_SECONDS_MIN = 0.05
_PAUSE_SECONDS_MAX = 2.0


class Patience:
    """Counts from the first failure after something worked."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Take the seconds after which it is over; who was never there is not waited for."""
        self._seconds = seconds
        self._clock = clock
        self._rng = rng or random.Random()
        self._was_there = False
        self._lost_at: float | None = None
        self._pause_seconds = _PAUSE_SECONDS_MIN

    def renew(self) -> None:
        """Begin anew: the server is there."""
        self._was_there = True
        self._lost_at = None
        self._pause_seconds = _PAUSE_SECONDS_MIN

    def pause_after(self, failure: TabardError) -> float:
        """Give the seconds to wait before the next try.

        Raises:
            TabardError: The failure, when patience is over.
        """
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
        if not self._was_there or now - self._lost_at >= self._seconds:
            raise failure
        pause = self._pause_seconds
        self._pause_seconds = min(2 * pause, _PAUSE_SECONDS_MAX)
        return pause * self._rng.uniform(0.5, 1.0)
