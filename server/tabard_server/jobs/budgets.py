# SPDX-License-Identifier: Apache-2.0
"""How much a tenant asks for in a minute: a bucket of pixel-steps each, which fills with time.

In: the work of jobs at admission, and of those that were never begun. Out: nothing, or when to come
back. Any thread.
"""

import threading
from collections.abc import Callable

from tabard_server.errors import Overloaded
from tabard_server.limits import Tenants

_MINUTE_SECONDS = 60.0


class Budgets:
    """The buckets of tenants that have a bound; nothing is kept of one that is full."""

    def __init__(self, tenants: Tenants, *, clock: Callable[[], float]) -> None:
        """Take what each tenant has."""
        self._tenants = tenants
        self._clock = clock
        self._spent: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, work: float, *, tenant: str) -> None:
        """Take what a job needs; one that is larger than the bucket takes a full one.

        Raises:
            Overloaded: There is not so much left.
        """
        most = self._tenants.of(tenant).pixel_steps_per_minute
        if most is None:
            return
        with self._lock:
            spent = self._now_spent(tenant, most=most)
            lacking = spent + min(work, most) - most
            if lacking > 0:
                raise Overloaded(
                    f"the tenant has {most - spent:.0f} pixel-steps left of {most:.0f} a minute, "
                    f"and this takes {work:.0f}",
                    reason="PIXEL_STEPS_SPENT",
                    hint="retry then, or ask for less (pixel_steps_per_minute of the tenant)",
                    retry_seconds=lacking / most * _MINUTE_SECONDS,
                )
            self._spent[tenant] = spent + work, self._clock()

    def give_back(self, work: float, *, tenant: str) -> None:
        """Give back what a job took that did not begin."""
        most = self._tenants.of(tenant).pixel_steps_per_minute
        if most is None:
            return
        with self._lock:
            spent = self._now_spent(tenant, most=most) - work
            self._spent[tenant] = max(0.0, spent), self._clock()

    def _now_spent(self, tenant: str, *, most: float) -> float:
        spent, at = self._spent.pop(tenant, (0.0, self._clock()))
        left = max(0.0, spent - (self._clock() - at) / _MINUTE_SECONDS * most)
        if left:
            self._spent[tenant] = left, self._clock()
        return left
