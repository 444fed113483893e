# SPDX-License-Identifier: Apache-2.0
"""The bounded waiting room: how many images are admitted and have not begun.

In: jobs at admission. Out: seats, never all of them one caller's, given back image by image as they
begin or as the job ends. Any thread may ask. Knows nothing of order; that is the policy's.
"""

import threading
from collections import Counter

from tabard_server.callers.caller import Caller, share_of
from tabard_server.errors import Overloaded


class WaitingRoom:
    """Counts seats, at most `rows_max`."""

    def __init__(self, *, rows_max: int, caller_share_max: float, retry_seconds: float) -> None:
        """Take how many seats there are, and the part of them that one caller may take."""
        self._rows_max = rows_max
        self._caller_rows_max = share_of(rows_max, share=caller_share_max)
        self._retry_seconds = retry_seconds
        self._taken = 0
        self._taken_by: Counter[Caller] = Counter()
        self._lock = threading.Lock()

    @property
    def depth(self) -> int:
        """Images that wait."""
        return self._taken

    def enter(self, rows: int, *, caller: Caller) -> "Seats":
        """Take a seat for each image of a job, all or none.

        Raises:
            Overloaded: There are not so many seats left, or not for this caller.
        """
        with self._lock:
            mine = self._taken_by[caller]
            if self._taken + rows > self._rows_max:
                raise self._full(
                    f"{self._taken} images wait already, {rows} more would exceed the limit of "
                    f"{self._rows_max}",
                    setting="limits.queue_rows_max",
                )
            if mine and mine + rows > self._caller_rows_max:
                raise self._full(
                    f"{mine} images of this caller wait already, {rows} more would exceed its "
                    f"share of {self._caller_rows_max}",
                    setting="limits.queue_rows_max, limits.caller_share_max",
                )
            ahead = self._taken
            self._taken += rows
            self._taken_by[caller] += rows
        return Seats(self, caller=caller, rows=rows, rows_ahead=ahead)

    def give_back(self, seats: "Seats", *, rows: int) -> None:
        """Free up to so many seats of a job; only `Seats` calls this."""
        with self._lock:
            rows = min(rows, seats.rows)
            seats.rows -= rows
            self._taken -= rows
            self._taken_by[seats.caller] -= rows
            if not self._taken_by[seats.caller]:
                del self._taken_by[seats.caller]

    def _full(self, message: str, *, setting: str) -> Overloaded:
        return Overloaded(
            message,
            reason="QUEUE_FULL",
            hint=f"retry after a moment, or ask for fewer images ({setting})",
            retry_seconds=self._retry_seconds,
        )


class Seats:
    """The seats of one job; any thread may give them back.

    Attributes:
        caller: Whose they are.
        rows: Seats still taken.
        rows_ahead: Images that waited when the job came in.
    """

    def __init__(self, room: WaitingRoom, *, caller: Caller, rows: int, rows_ahead: int) -> None:
        self._room = room
        self.caller = caller
        self.rows = rows
        self.rows_ahead = rows_ahead

    def leave_one(self) -> None:
        """Give one seat back, if one is left: an image begins."""
        self._room.give_back(self, rows=1)

    def leave(self) -> None:
        """Give all remaining seats back. Idempotent."""
        self._room.give_back(self, rows=self.rows)
