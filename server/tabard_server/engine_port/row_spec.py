# SPDX-License-Identifier: Apache-2.0
"""What the loop asks an engine to draw: one row of a job. Knows no torch."""

from dataclasses import dataclass

from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.stack import Stack, StackKey, stack_key
from tabard_server.engine_port.weights.strength import is_steady


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowSpec:
    """Everything that shapes one image.

    Attributes:
        drawing: What shapes every image of its job.
        stack: Adapters and their weights, in order.
        seed: Seed of this row's generator.
        is_deterministic: Whether the same request shall give the same bytes at any time.
    """

    drawing: Drawing
    stack: Stack = ()
    seed: int
    is_deterministic: bool = False

    @property
    def stack_key(self) -> StackKey:
        """What of the stack changes weights."""
        return stack_key(self.stack)

    @property
    def is_merged_only(self) -> bool:
        """Say whether a part of the stack is not low-rank."""
        return any(adapter.is_merged_only for adapter, _ in self.stack)

    @property
    def is_steady(self) -> bool:
        """Say whether it wears the same at every step and everywhere, as a merged copy does."""
        return all(is_steady(weight) for _, weight in self.stack)
