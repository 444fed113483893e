# SPDX-License-Identifier: Apache-2.0
"""The algebra of low-rank pairs: every published way to write a small change, as one down and up.

Arrays in, arrays out; sums and products are taken in float64 and rounded once. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Span = tuple[int, int]
"""Rows of an array, from the first to the one behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A change of a weight: `up @ down`, without its scale.

    Attributes:
        down: [rank, in] or [rank, in, height, width].
        up: [out, rank].
    """

    down: Array
    up: Array


def fold_core(pair: Pair, *, core: Array) -> Pair:
    """Fold a Tucker core [rank, rank, height, width] into the down factor [rank, in]."""
    down = np.einsum("mn...,nj->mj...", wide(core), matrix(pair.down))
    return Pair(down=down, up=pair.up)


def hadamard(left: Pair, right: Pair) -> Pair:
    """Multiply two changes element by element: the ranks multiply."""
    up = _columns_by_columns(matrix(left.up), matrix(right.up))
    down = wide(left.down)[:, None] * wide(right.down)[None, :]
    return Pair(down=down.reshape(-1, *down.shape[2:]), up=up)


def kronecker(left: Pair, right: Pair) -> Pair:
    """Take the Kronecker product of two changes, of which the right one may have a kernel."""
    kernel = right.down.shape[2:]
    down = matrix(left.down)
    spread = down.reshape(*down.shape, *[1] * len(kernel))
    return Pair(
        down=np.kron(spread, wide(right.down)), up=np.kron(matrix(left.up), matrix(right.up))
    )


def whole(weight: Array) -> Pair:
    """Write a matrix or a kernel as a pair, with an identity on its smaller side."""
    outputs, inputs, *kernel = weight.shape
    if outputs <= inputs or kernel:
        return Pair(down=wide(weight), up=np.eye(outputs))
    return Pair(down=np.eye(inputs), up=wide(weight))


def rows_of(found: Array, spans: Sequence[Span]) -> Array:
    """Return some rows of an array, span after span, to the bit."""
    return np.concatenate([found[start:end] for start, end in spans])


def matrix(found: Array) -> Array:
    """Drop the kernel of 1x1 from a factor, and widen it."""
    return wide(found).reshape(found.shape[:2])


def kept(found: Array) -> Array:
    """Keep float16 and float32 as they are; everything else becomes float32."""
    return found if found.dtype in (np.float16, np.float32) else found.astype(np.float32)


def wide(found: Array) -> Array:
    """Return numbers in float64."""
    return found.astype(np.float64, copy=False)


def _columns_by_columns(left: Array, right: Array) -> Array:
    return (left[:, :, None] * right[:, None, :]).reshape(left.shape[0], -1)
