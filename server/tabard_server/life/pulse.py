# SPDX-License-Identifier: Apache-2.0
"""A sign of life: one thread says that it is at work, any other sees for how long it said nothing.

In: beats. Out: seconds of silence. A beat is one store, so it may be given as often as one likes.
"""

import time
from collections.abc import Callable


class Pulse:
    """The pulse of one thread, which alone may call `beat` and `rest`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_at: float | None = None

    def beat(self) -> None:
        """Say that there is work, and that it goes on."""
        self._beat_at = self._clock()

    def rest(self) -> None:
        """Say that there is nothing to do: silence means nothing until the next beat."""
        self._beat_at = None

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last beat; 0 while the thread rests."""
        beat_at = self._beat_at
        return 0.0 if beat_at is None else max(0.0, self._clock() - beat_at)
