# SPDX-License-Identifier: Apache-2.0
"""Whether what is waited for gets on: patience that every sign of progress renews.

In: a look at something that changes while it works. Out: whether nothing has changed for too long.
A slow machine is waited for; what has stopped is not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05

_LOOK_SECONDS_MAX = 1.0


class Progress:
    """Counts the seconds since the last change of what is looked at."""

    def __init__(
        self,
        look: Callable[[], object],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what changes while things get on, and how long it may stay as it is."""
        self._look = look
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._seen = look()
        self._looked_at = clock()
        self._still_seconds = 0.0

    def has_stopped(self) -> bool:
        """Look again, and say whether patience is over. To be asked often."""
        seen, now = self._look(), self._clock()
        # Whoever was stopped together with what it waits for has not waited meanwhile.
        self._still_seconds += min(now - self._looked_at, _LOOK_SECONDS_MAX)
        self._looked_at = now
        if seen != self._seen:
            self._seen, self._still_seconds = seen, 0.0
        return self._still_seconds >= self._patience_seconds


def signs_of_life(process_id: int, *, log: Path) -> tuple[int, int]:
    """Give what changes while a process works: bytes it has said, whole seconds it has computed.

    Seconds are read on Linux alone. What a process computes while it idles is far less than a
    second within the patience.
    """
    try:
        said = log.stat().st_size
    except FileNotFoundError:
        said = 0
    return said, _seconds_computed(process_id)


def _seconds_computed(process_id: int) -> int:
    try:
        told = Path("/proc", str(process_id), "stat").read_text(encoding="utf-8")
    except OSError:  # another system, or a process that has ended
        return 0
    # Fields are counted behind the name, which may have blanks: utime and stime, of its own and of
    # the children that it has waited for.
    ticks = told.rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) // os.sysconf("SC_CLK_TCK")
