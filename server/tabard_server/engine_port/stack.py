# SPDX-License-Identifier: Apache-2.0
"""A stack as the server carries it: adapters in host memory with their weights. Knows no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tabard_server.engine_port.weights.strength import Strength, Weight


class HostAdapterLike(Protocol):
    """One release in host memory, as far as anybody looks who does not draw with it."""

    @property
    def digest(self) -> str:
        """`sha256:…` of the release."""

    @property
    def resident_bytes(self) -> int:
        """Bytes it takes in memory."""

    @property
    def changes_weights(self) -> bool:
        """Say whether it changes any weight of the base; a placeholder token changes none."""

    @property
    def is_merged_only(self) -> bool:
        """Say whether a part of it is not low-rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """An adapter in the slots or in host memory, the bytes it takes, and its leases now."""

    digest: str
    bytes: int
    leases: int


Stack: TypeAlias = Sequence[tuple[HostAdapterLike, Weight]]
"""Adapters and their weights, in order."""
StackKey: TypeAlias = tuple[tuple[str, Weight], ...]
"""What tells stacks apart: digests and weights, in order; empty: the bare base."""


def stack_key(stack: Stack) -> StackKey:
    """Return the key of what changes weights: rows of one key can share a merged copy."""
    return tuple(
        (adapter.digest, weight if isinstance(weight, Strength) else float(weight))
        for adapter, weight in stack
        if adapter.changes_weights
    )
