# SPDX-License-Identifier: Apache-2.0
"""Who had how much of what is shared: sizes share the engine's time, tenants its work.

In: what each had at a time. Out: how far each is ahead of the one that was served last. This is
start-time fair queueing: who comes anew begins where the others stand, so nobody saves up, and
nobody waits for longer than one turn of each other before his own.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Shares(Generic[K]):
    """How much each had. One thread."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until: dict[K, float] = {}

    def note(self, who: K, *, amount: float) -> None:
        """Note a turn of one."""
        self.note_together({who: amount})

    def note_together(self, amounts: Mapping[K, float]) -> None:
        """Note a turn of some.

        What it begins at for the one who had least is what all others are compared with: who is
        taken along pays for it, and takes nothing from those who are behind.
        """
        self._now = max(self._now, min(self._until.get(who, 0.0) for who in amounts))
        for who, amount in amounts.items():
            self._until[who] = max(self._now, self._until.get(who, 0.0)) + amount
        self._until = {one: until for one, until in self._until.items() if until > self._now}

    def ahead(self) -> dict[K, float]:
        """Return how far each is ahead; one that is not named is not."""
        return {one: until - self._now for one, until in self._until.items()}
