# SPDX-License-Identifier: Apache-2.0
"""Who was told to come back, and when: a seat is kept for those, so that what they heard is true.

In: refusals, with the time that was named. Out: how many seats are spoken for. A booking is kept
from then on for as long as a client may be late, and they are bounded. Not thread-safe.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

_EARLY_PART = 0.05
_LATE_PART = 0.25
_LATE_SECONDS = 2.0
"""A client adds jitter to what it is told, and travels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Seats that are kept.

    Attributes:
        tenant: Whose share they are of.
        rows: How many.
        due_at: When it was told to come, or a little earlier.
        ends_at: Until when they are kept.
    """

    tenant: str
    rows: int
    due_at: float
    ends_at: float


class Bookings:
    """Bookings by who has them."""

    def __init__(self, *, rows_max: int) -> None:
        """Take how many seats may be spoken for at once."""
        self._rows_max = rows_max
        self._by_key: dict[Hashable, Booking] = {}
        # Ends of bookings, the next one first, with a number since keys have no order. One that is
        # dropped before stays here until its time.
        self._ends: list[tuple[float, int, Hashable]] = []
        self._number = itertools.count()
        self._rows: Counter[str] = Counter()

    def rows_of(self, tenant: str, *, but: Hashable = None) -> int:
        """Return the seats that are spoken for by a tenant's callers, one of them left out."""
        own = self._by_key.get(but)
        return self._rows[tenant] - (own.rows if own else 0)

    def tenants(self) -> frozenset[str]:
        """Return the tenants whose callers were told to come back."""
        return frozenset(self._rows)

    def is_due(self, key: Hashable, *, now: float) -> bool:
        """Say whether a caller has one, and did not come too early."""
        found = self._by_key.get(key)
        return found is not None and now >= found.due_at

    def seconds_left(self, key: Hashable, *, now: float) -> float:
        """Return how long what a caller was promised is kept yet; 0: it has none, or is early."""
        return self._by_key[key].ends_at - now if self.is_due(key, now=now) else 0.0

    def keep(self, key: Hashable, *, tenant: str, rows: int, now: float, wait: float) -> None:
        """Keep seats for a caller that comes back after so long, if so many may be kept."""
        self.drop(key)
        if self._rows.total() + rows > self._rows_max:
            return
        booking = Booking(
            tenant=tenant,
            rows=rows,
            due_at=now + wait * (1 - _EARLY_PART),
            ends_at=now + wait * (1 + _LATE_PART) + _LATE_SECONDS,
        )
        self._by_key[key] = booking
        self._rows[tenant] += rows
        heapq.heappush(self._ends, (booking.ends_at, next(self._number), key))

    def expire(self, *, now: float) -> None:
        """Forget those who did not come."""
        while self._ends and self._ends[0][0] <= now:
            ends_at, _number, key = heapq.heappop(self._ends)
            found = self._by_key.get(key)
            # Whoever was told a new time since has another booking.
            if found is not None and found.ends_at <= ends_at:
                self.drop(key)

    def drop(self, key: Hashable) -> None:
        """Forget a booking: it is used, or of no use. Idempotent."""
        if found := self._by_key.pop(key, None):
            self._rows[found.tenant] -= found.rows
            if not self._rows[found.tenant]:
                del self._rows[found.tenant]
