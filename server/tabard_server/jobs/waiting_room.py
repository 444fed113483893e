# SPDX-License-Identifier: Apache-2.0
"""The bounded waiting room: how many images are admitted and have not begun.

In: jobs at admission. Out: seats, never all of them one caller's or one tenant's, given back image
by image as they begin or as the job ends. Who is refused is told when to come back, and finds a
seat then. Any thread may ask. Knows nothing of order; that is the policy's.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tabard_server.callers.caller import Caller, share_of
from tabard_server.errors import Overloaded
from tabard_server.jobs.bookings import Bookings
from tabard_server.limits import Tenants

QUEUE_FULL = "QUEUE_FULL"
_BOOKED_RATIO_MAX = 16
"""Seats that may be spoken for at once, for each that there is."""
_FREE_PART = 0.5
"""While no more of the seats are taken, none is kept for who was told to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lack:
    """Why there is no seat: so many images must begin before, of one tenant or of anybody.

    Where a caller is in its own way, no seat is kept for it: it would be kept from others.
    """

    message: str
    setting: str
    rows: int
    tenant: str | None
    is_own: bool = False


class WaitingRoom:
    """Counts seats, at most `rows_max`.

    Attributes:
        on_free: Called with how many seats were given back, by whoever gives them.
    """

    def __init__(
        self,
        *,
        rows_max: int,
        caller_share_max: float,
        retry_after: Callable[[int, str | None], float],
        clock: Callable[[], float],
        tenants: Tenants | None = None,
    ) -> None:
        """Take how many seats there are, and who may take which part of them.

        Args:
            rows_max: Seats.
            caller_share_max: The part that one caller may take; of the rest a tenant may take none
                that has its share of all.
            retry_after: Says when so many images will have begun, of one tenant or of anybody.
            clock: Monotonic seconds.
            tenants: What each tenant has.
        """
        self._rows_max = rows_max
        self._caller_rows_max = share_of(rows_max, share=caller_share_max)
        self._retry_after = retry_after
        self._clock = clock
        self._tenants = tenants or Tenants()
        self._taken = 0
        self._taken_by: Counter[Caller] = Counter()
        self._taken_of: Counter[str] = Counter()
        self._bookings = Bookings(rows_max=_BOOKED_RATIO_MAX * rows_max)
        self._lock = threading.Lock()
        self.on_free: Callable[[int], None] = lambda _rows: None

    @property
    def depth(self) -> int:
        """Images that wait."""
        return self._taken

    def depth_of(self, tenant: str) -> int:
        """Return those of one tenant."""
        return self._taken_of[tenant]

    def enter(self, rows: int, *, caller: Caller, request: str = "") -> "Seats":
        """Take a seat for each image of a job, all or none.

        `request` tells requests of one caller apart: who is refused and comes back with it has a
        seat kept. If that is not free yet, the promise stands, and the caller may wait for it.

        Raises:
            Overloaded: There are not so many seats left, or not for this caller.
        """
        key = _key(caller, request=request)
        with self._lock:
            now = self._clock()
            self._bookings.expire(now=now)
            is_booked = self._bookings.is_due(key, now=now)
            booked = self._bookings.rows_of(caller.tenant, but=key)
            if lack := self._lack(rows, caller=caller, booked=booked, is_booked=is_booked):
                wait = self._retry_after(lack.rows, lack.tenant)
                if not (lack.is_own or is_booked):
                    self._bookings.keep(key, tenant=caller.tenant, rows=rows, now=now, wait=wait)
                raise Overloaded(
                    lack.message,
                    reason=QUEUE_FULL,
                    hint=f"retry then, or ask for fewer images ({lack.setting})",
                    retry_seconds=wait,
                )
            self._bookings.drop(key)
            ahead = self._taken
            self._taken += rows
            self._taken_by[caller] += rows
            self._taken_of[caller.tenant] += rows
        return Seats(self, caller=caller, rows=rows, rows_ahead=ahead)

    def has_seats(self, rows: int, *, caller: Caller, request: str = "") -> bool:
        """Say whether `enter` would find seats now."""
        key = _key(caller, request=request)
        with self._lock:
            is_booked = self._bookings.is_due(key, now=self._clock())
            booked = self._bookings.rows_of(caller.tenant, but=key)
            lack = self._lack(rows, caller=caller, booked=booked, is_booked=is_booked)
        return lack is None

    def promised_seconds(self, *, caller: Caller, request: str = "") -> float:
        """Return for how long who came back as told may wait for a seat; 0: not at all."""
        with self._lock:
            key = _key(caller, request=request)
            return self._bookings.seconds_left(key, now=self._clock())

    def break_promise(self, *, caller: Caller, request: str = "") -> None:
        """Let a caller be a newcomer again. Idempotent."""
        with self._lock:
            self._bookings.drop(_key(caller, request=request))

    def give_back(self, seats: "Seats", *, rows: int) -> None:
        """Free up to so many seats of a job; only `Seats` calls this."""
        with self._lock:
            rows = min(rows, seats.rows)
            seats.rows -= rows
            self._taken -= rows
            self._taken_by[seats.caller] -= rows
            self._taken_of[seats.caller.tenant] -= rows
            if not self._taken_by[seats.caller]:
                del self._taken_by[seats.caller]
            if not self._taken_of[seats.caller.tenant]:
                del self._taken_of[seats.caller.tenant]
        if rows:
            self.on_free(rows)

    def _lack(self, rows: int, *, caller: Caller, booked: int, is_booked: bool) -> _Lack | None:
        """Say why there are no seats for a job; None: there are."""
        tenant, mine = caller.tenant, self._taken_by[caller]
        held = self._taken_of[tenant]
        if (excess := self._taken + rows - self._rows_max) > 0:
            return _Lack(
                message=f"{self._taken} images wait already, {rows} more would exceed the limit of "
                f"{self._rows_max}",
                setting="limits.queue_rows_max",
                rows=excess + booked,
                tenant=None if held < self._share(tenant) else tenant,
            )
        if mine and (excess := mine + rows - self._caller_rows_max) > 0:
            return _Lack(
                message=f"{mine} images of this caller wait already, {rows} more would exceed its "
                f"share of {self._caller_rows_max}",
                setting="limits.queue_rows_max, limits.caller_share_max",
                # Its own are among those of the others of its tenant.
                rows=math.ceil(excess * held / mine),
                tenant=tenant,
                is_own=True,
            )
        most = self._most_of(tenant, rows=rows, is_booked=is_booked)
        if held and (excess := held + rows - most) > 0:
            return _Lack(
                message=f"{held} images of this tenant wait already, {rows} more would exceed its "
                f"part of {most}",
                setting="queue_rows_max and weight of the tenant",
                rows=excess + booked,
                tenant=tenant,
            )
        is_tight = self._taken + rows > self._rows_max * _FREE_PART
        if is_tight and not is_booked and (excess := held + booked + rows - most) > 0:
            return _Lack(
                message=f"{held} images of this tenant wait already, and {booked} were told to "
                "come back",
                setting="limits.queue_rows_max",
                rows=excess,
                tenant=tenant,
            )
        return None

    def _most_of(self, tenant: str, *, rows: int, is_booked: bool) -> int:
        """Return the seats that a tenant may have beside who is here now.

        Who was told to come may take half of what is kept for tenants with less than their share:
        those come and go, and shares with them.
        """
        own = self._tenants.of(tenant).queue_rows_max
        most = self._rows_max if own is None else min(own, self._rows_max)
        kept = self._rows_max - self._caller_rows_max
        free_for_all = self._rows_max - (kept // 2 if is_booked else kept)
        is_crowded = self._taken + rows > free_for_all
        return min(most, self._share(tenant)) if is_crowded else most

    def _share(self, tenant: str) -> int:
        among = {*self._taken_of, *self._bookings.tenants()}
        part = self._tenants.weights.share_of(tenant, among=among)
        return max(1, int(part * self._rows_max))


def _key(caller: Caller, *, request: str) -> tuple[str, str]:
    return caller.tenant, request or caller.key


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
