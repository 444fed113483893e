# SPDX-License-Identifier: Apache-2.0
"""Stacks that wait for host memory, in the order of their turns, and what they wait for.

In: places that come and go. Out: walks through them, and who waits for a digest. Memory is told
what is wanted. Knows neither loads nor leases.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tabard_server.adapters.host_memory import HostMemory, Lease
from tabard_server.scheduler.claims import Claim, Weights
from tabard_server.scheduler.fair_queue import FairQueue, Turns

OnLease = Callable[[Lease], None]
OnFailure = Callable[[Exception], None]


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """One stack in line.

    Attributes:
        digests: What it wears.
        rows: Images it is for.
        claim: What it is to the others in line.
        key: Its number in the order of coming.
        on_lease: Told once when everything is leased.
        on_failure: Told once when that will never be.
        overtaken: Younger stacks that took the room it waits for.
        is_in_line: Whether it waits yet.
    """

    digests: tuple[str, ...]
    rows: int
    claim: Claim
    key: int
    on_lease: OnLease
    on_failure: OnFailure
    overtaken: int = 0
    is_in_line: bool = True

    @property
    def kind(self) -> None:
        """All of one tenant and priority are in one line."""


class Line:
    """Places in line. Asyncio thread."""

    def __init__(self, memory: HostMemory) -> None:
        """Take what is told of all that somebody waits for."""
        self._memory = memory
        self._queue: FairQueue[Place] = FairQueue()
        self._wanting: dict[str, dict[Place, None]] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._queue)

    def next_key(self) -> int:
        """Return the number of the next who comes."""
        return next(self._numbers)

    def enter(self, place: Place) -> None:
        """Let a stack wait."""
        self._queue.add(place)
        self._memory.want(place.digests)
        for digest in place.digests:
            self._wanting.setdefault(digest, {})[place] = None

    def leave(self, place: Place) -> None:
        """Let it wait no longer."""
        self._queue.remove(place)
        self._memory.want_no_longer(place.digests)
        place.is_in_line = False
        for digest in set(place.digests):
            del self._wanting[digest][place]
            if not self._wanting[digest]:
                del self._wanting[digest]

    def wanting(self, digest: str) -> list[Place]:
        """Return who waits for an adapter, in the order of their coming."""
        return list(self._wanting.get(digest, ()))

    def walks(self, ahead: Mapping[str, float], *, weights: Weights) -> list[Turns[Place]]:
        """Return a walk through all others, and one through background."""
        return [
            self._queue.turns(is_background=is_background, ahead=ahead, weights=weights)
            for is_background in (False, True)
        ]
