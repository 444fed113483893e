# SPDX-License-Identifier: Apache-2.0
"""The seam of the methods: what trainers decompose a change into, and how it becomes one pair.

Shapes of a layer's tensors in, the equivalent rank or a refusal out; then arrays in, a pair out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tabard_registry.intake.layers.products import Array, Pair
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import ChangeMethod

Shape = tuple[int, ...]
POINT = (1, 1)
"""The kernel of what has none."""


class Malformed(Exception):
    """The tensors of a layer do not fit each other; the text says how.

    Attributes:
        reason: Stable UPPER_SNAKE code.
    """

    def __init__(self, detail: str, *, reason: str = "BAD_SHAPE") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a layer's tensors amount to.

    Attributes:
        rank: Rank of the equivalent pair.
        trained_rank: What alpha is divided by; None where the method takes no alpha.
        inputs: Features or channels in.
        outputs: Features or channels out.
        kernel: Height and width.
    """

    rank: int
    trained_rank: int | None
    inputs: int
    outputs: int
    kernel: tuple[int, int] = POINT


class Method(Protocol):
    """One way to write a pair. A new one is a new file with one of these, named in `low_rank`."""

    @property
    def known_as(self) -> ChangeMethod:
        """Its line in the table."""
        ...

    @property
    def parts(self) -> frozenset[str]:
        """The parts that only this method has."""
        ...

    def measure(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Measured:
        """Say what tensors of these shapes amount to on a module.

        Raises:
            Malformed: They do not fit each other.
        """
        ...

    def stored(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Mapping[str, Shape]:
        """Return the parts that are kept in another shape than these, where no pair is made."""
        ...

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Make the pair of tensors whose shapes were measured."""
        ...


def require(shapes: Mapping[str, object], *parts: str) -> None:
    """Refuse a layer that lacks one of these parts.

    Raises:
        Malformed: One is missing.
    """
    missing = [part for part in parts if part not in shapes]
    if missing:
        raise Malformed(f"has no {' and no '.join(missing)} factor", reason="INCOMPLETE_PAIR")


def agree(*sizes: int, what: str) -> None:
    """Refuse sizes that should be one.

    Raises:
        Malformed: They differ.
    """
    if len(set(sizes)) > 1:
        raise Malformed(f"has {what} {' and '.join(map(str, sizes))}")


def flat(shape: Shape) -> tuple[int, int]:
    """Return a matrix's sizes, also when it is written as a 1x1 kernel.

    Raises:
        Malformed: It is anything else.
    """
    if len(shape) not in (2, 4) or math.prod(shape[2:]) != 1:
        raise Malformed(f"has a factor of shape {list(shape)}")
    return shape[0], shape[1]


def unrolled(columns: int, *, module: ModuleShape) -> tuple[int, tuple[int, int]]:
    """Take inputs and kernel apart, where a factor holds both in one dimension."""
    area = math.prod(module.kernel)
    return (columns // area, module.kernel) if columns % area == 0 else (columns, POINT)


def unrolled_shape(shape: Shape, *, module: ModuleShape) -> tuple[int, int, tuple[int, int]]:
    """Return rows, inputs and kernel of a factor, which may hold the last two in one dimension.

    Raises:
        Malformed: It is neither a matrix nor a kernel.
    """
    if len(shape) == 4:
        return shape[0], shape[1], (shape[2], shape[3])
    rows, columns = flat(shape)
    return (rows, *unrolled(columns, module=module))


def core_kernel(shape: Shape, *, rank: int) -> tuple[int, int]:
    """Return the kernel of a Tucker core.

    Raises:
        Malformed: It is no core of this rank.
    """
    if len(shape) != 4 or shape[:2] != (rank, rank):
        raise Malformed(f"has a core of shape {list(shape)} for rank {rank}")
    return shape[2], shape[3]
