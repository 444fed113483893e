# SPDX-License-Identifier: Apache-2.0
"""The bounded waiting room: how many images are admitted and have not begun.

In: jobs at admission. Out: seats, given back image by image as they begin or as the job ends.
Any thread may ask. Knows nothing of order; that is the policy's.
"""

import threading

from tabard_server.errors import Overloaded


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

    def give_back(self, seats: "Seats", *, rows: int) -> None:
        """Free up to so many seats of a job; only `Seats` calls this."""
        with self._lock:
            rows = min(rows, seats.rows)
            seats.rows -= rows
            self._taken -= rows


class Seats:
    """The seats of one job; any thread may give them back.

    Attributes:
        rows: Seats still taken.
        rows_ahead: Images that waited when the job came in.
    """

    def __init__(self, room: WaitingRoom, *, rows: int, rows_ahead: int) -> None:
        self._room = room
        self.rows = rows
        self.rows_ahead = rows_ahead

    def leave_one(self) -> None:
        """Give one seat back, if one is left: an image begins."""
        self._room.give_back(self, rows=1)

    def leave(self) -> None:
        """Give all remaining seats back. Idempotent."""
        self._room.give_back(self, rows=self.rows)
