# SPDX-License-Identifier: Apache-2.0
"""What an image in a queue is to the others: whose it is, how urgent, and how much work.

Frozen values. Pure.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum


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


UNSAID = Claim()
"""Of whom nobody said anything."""
