# SPDX-License-Identifier: Apache-2.0
"""What an image in a queue is to the others: whose it is, how urgent, and how much work.

Frozen values, and the one order in which whatever waits is served. Pure.
"""

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol, TypeVar


class Priority(IntEnum):
    """Who of one tenant goes first; the two below `LOW` are the server's own, for nobody to ask.

    `BACKGROUND` draws while nobody else does. `SHADOW` likewise, and takes what is left of a batch
    of others.
    """

    SHADOW = -1
    BACKGROUND = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One entry of a queue, as far as its order goes.

    Attributes:
        tenant: Whose share it uses; empty: nobody said.
        priority: Its class.
        work: Pixels times steps times samples.
    """

    tenant: str = ""
    priority: Priority = Priority.NORMAL
    work: float = 1.0

    @property
    def is_background(self) -> bool:
        """Say whether it makes way for everybody else."""
        return self.priority <= Priority.BACKGROUND

    @property
    def is_shadow(self) -> bool:
        """Say whether it may share a step with others, where that has room."""
        return self.priority is Priority.SHADOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weight of each tenant: who has twice as much is served twice the work.

    Attributes:
        by_tenant: Those that are named.
        default: Of all others.
    """

    by_tenant: Mapping[str, float] = field(default_factory=dict)
    default: float = 1.0

    def of(self, tenant: str) -> float:
        """Return the weight of a tenant."""
        return self.by_tenant.get(tenant, self.default)

    def share_of(self, tenant: str, *, among: Iterable[str]) -> float:
        """Return the part that a tenant has of what these tenants share, itself among them."""
        return self.of(tenant) / math.fsum(map(self.of, {tenant, *among}))


class Claimed(Protocol):
    """Whatever waits in a queue."""

    @property
    def claim(self) -> Claim:
        """What it is to the others."""


UNSAID = Claim()
"""Of whom nobody said anything."""

C = TypeVar("C", bound=Claimed)


def in_fair_order(waiting: Iterable[C], *, ahead: Mapping[str, float], weights: Weights) -> list[C]:
    """Return who is served first, and after whom.

    Tenants take turns by work: next is who had least, each for its weight (start-time fair
    queueing). Within a tenant the higher priority is first, then who came first. Background comes
    after everybody, in the same way.

    Args:
        waiting: In the order of their coming.
        ahead: Work for its weight that tenants had more than the one that was served last.
        weights: Of the tenants.
    """
    entries = list(waiting)
    found: list[C] = []
    for is_background in (False, True):
        some = [one for one in entries if one.claim.is_background is is_background]
        found += _by_turns(some, ahead=ahead, weights=weights)
    return found


def _by_turns(waiting: list[C], *, ahead: Mapping[str, float], weights: Weights) -> Iterable[C]:
    queues: dict[str, list[tuple[int, C]]] = {}
    for at, one in sorted(enumerate(waiting), key=lambda entry: -entry[1].claim.priority):
        queues.setdefault(one.claim.tenant, []).append((at, one))
    turns = [(ahead.get(tenant, 0.0), queue[0][0], tenant) for tenant, queue in queues.items()]
    heapq.heapify(turns)
    while turns:
        begun_at, _at, tenant = heapq.heappop(turns)
        queue = queues[tenant]
        _at, one = queue.pop(0)
        yield one
        if queue:
            until = begun_at + one.claim.work / weights.of(tenant)
            heapq.heappush(turns, (until, queue[0][0], tenant))
