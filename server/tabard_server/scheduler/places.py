# SPDX-License-Identifier: Apache-2.0
"""Which places among the running rows a tenant may take, so that no tenant waits for all others.

In: who waits and who runs. Out: whether a row may begin. More rows than fill a batch make nothing
faster; so while there are several tenants, those places are for whoever has less than its share of
a batch, and the last quarter of all places as well. Pure.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence

from tabard_server.scheduler.snapshot import RunningRow, Snapshot, WaitingRow

_KEPT_PART = 4
"""One place of so many is kept for tenants that have less than their share."""


class Places:
    """The places of one turn."""

    def __init__(
        self,
        running: Sequence[RunningRow],
        *,
        waiting: Collection[str],
        snapshot: Snapshot,
    ) -> None:
        """Count the places that these rows have, while these tenants wait for some."""
        self._snapshot = snapshot
        self._held = Counter(row.claim.tenant for row in running)
        self._tenants = {*self._held, *waiting}
        self._weight = math.fsum(map(snapshot.weights.of, self._tenants))
        self._sizes = Counter(row.size for row in running)
        self.free = snapshot.running_rows_max - len(running)

    def has_one_for(self, row: WaitingRow) -> bool:
        """Say whether a row may begin."""
        if self.free <= 0:
            return False
        if len(self._tenants) == 1 or self._held[row.claim.tenant] < self._share(row.claim.tenant):
            return True
        kept = self._snapshot.running_rows_max // _KEPT_PART
        return self.free > kept and self._sizes[row.size] < self._snapshot.rows_per_step_max

    def take(self, row: WaitingRow) -> None:
        """Let it begin."""
        self.free -= 1
        self._held[row.claim.tenant] += 1
        self._sizes[row.size] += 1

    def _share(self, tenant: str) -> int:
        """Return the rows that are a tenant's part of one batch: at least one."""
        part = self._snapshot.weights.of(tenant) / self._weight
        return max(1, int(part * self._snapshot.rows_per_step_max))
