# SPDX-License-Identifier: Apache-2.0
"""The bounded waiting room: how many images are admitted and have not begun.

In: jobs at admission. Out: seats, given back image by image as they begin or as the job ends.
Any thread may ask. Knows nothing of order; that is the policy's.
"""

import threading

from livery_server.errors import Overloaded


class WaitingRoom:
    """Counts seats, at most `rows_max`."""

    def __init__(self, *, rows_max: int, retry_seconds: float) -> None:
        self._rows_max = rows_max
        self._retry_seconds = retry_seconds
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def depth(self) -> int:
        """Images that wait."""
        return self._taken

    def enter(self, rows: int) -> "Seats":
        """Take a seat for each image of a job, all or none.

        Raises:
            Overloaded: There are not so many seats left.
        """
        with self._lock:
            if self._taken + rows > self._rows_max:
                raise Overloaded(
                    f"{self._taken} images wait already, {rows} more would exceed the limit of "
                    f"{self._rows_max}",
                    reason="QUEUE_FULL",
                    hint="retry after a moment, or ask for fewer images (limits.queue_rows_max)",
                    retry_seconds=self._retry_seconds,
                )
            ahead = self._taken
            self._taken += rows
        return Seats(self, rows=rows, rows_ahead=ahead)

    def give_back(self, rows: int) -> None:
        """Free seats; only `Seats` calls this."""
        with self._lock:
            self._taken -= rows
            assert self._taken >= 0, "more seats were given back than taken"


class Seats:
    """The seats of one job. Owned by whoever owns the job at the moment; never by two threads."""

    def __init__(self, room: WaitingRoom, *, rows: int, rows_ahead: int) -> None:
        self._room = room
        self._rows = rows
        self.rows_ahead = rows_ahead

    def rise(self) -> None:
        """Give one seat back: an image begins."""
        assert self._rows > 0, "an image began that had no seat"
        self._rows -= 1
        self._room.give_back(1)

    def leave(self) -> None:
        """Give all remaining seats back. Idempotent."""
        rows, self._rows = self._rows, 0
        self._room.give_back(rows)
