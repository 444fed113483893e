# SPDX-License-Identifier: Apache-2.0
"""LoKr: the Kronecker product of two matrices, either of which may be low-rank itself.

The rank of the equivalent pair is the product of the two ranks; a whole matrix counts with its
smaller side, so a LoKr with two whole halves is of full rank and mostly beyond the limit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tabard_registry.intake.layers.method import (
    POINT,
    Malformed,
    Measured,
    Shape,
    agree,
    core_kernel,
    flat,
    require,
    unrolled,
)
from tabard_registry.intake.layers.products import Array, Pair, fold_core, kronecker, matrix, whole
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import KRONECKER


class Lokr:
    """Implements `Method`."""

    known_as = KRONECKER
    parts = KRONECKER.keys

    def measure(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Measured:
        """Alpha counts only when a half is decomposed, as LyCORIS has it."""
        left, right = _left(shapes), _right(shapes)
        inputs, kernel = left.inputs * right.inputs, right.kernel
        if kernel == POINT:
            inputs, kernel = unrolled(inputs, module=module)
        trained = {half.trained_rank for half in (left, right)} - {None}
        if len(trained) > 1:
            raise Malformed(f"has halves of ranks {left.trained_rank} and {right.trained_rank}")
        return Measured(
            rank=left.rank * right.rank,
            trained_rank=next(iter(trained), None),
            inputs=inputs,
            outputs=left.outputs * right.outputs,
            kernel=kernel,
        )

    def stored(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Mapping[str, Shape]:
        """Every writer's shapes are those of LyCORIS."""
        return {}

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Multiply the halves out of their factors, the left one first if that is smaller."""
        return kronecker(_left_pair(tensors), _right_pair(tensors))


def _left(shapes: Mapping[str, Shape]) -> Measured:
    if "lokr_w1" in shapes:
        _refuse_both(shapes, half="lokr_w1")
        outputs, inputs = flat(shapes["lokr_w1"])
        rank, trained = min(outputs, inputs), None
    else:
        require(shapes, "lokr_w1_a", "lokr_w1_b")
        (outputs, trained), (rows, inputs) = flat(shapes["lokr_w1_a"]), flat(shapes["lokr_w1_b"])
        agree(trained, rows, what="factors of ranks")
        rank = min(trained, outputs, inputs)
    return Measured(rank=rank, trained_rank=trained, inputs=inputs, outputs=outputs)


def _right(shapes: Mapping[str, Shape]) -> Measured:
    """Measure the right half; a kernel that lies in its columns still counts as columns."""
    if "lokr_w2" in shapes:
        _refuse_both(shapes, half="lokr_w2")
        return _whole_right(shapes["lokr_w2"])
    require(shapes, "lokr_w2_a", "lokr_w2_b")
    outputs, rank = flat(shapes["lokr_w2_a"])
    if "lokr_t2" in shapes:
        outputs, rank = rank, outputs
        rows, inputs = flat(shapes["lokr_w2_b"])
        kernel = core_kernel(shapes["lokr_t2"], rank=rank)
    else:
        rows, inputs, kernel = _columns(shapes["lokr_w2_b"])
    agree(rank, rows, what="factors of ranks")
    return Measured(rank=rank, trained_rank=rank, inputs=inputs, outputs=outputs, kernel=kernel)


def _whole_right(shape: Shape) -> Measured:
    outputs, inputs, kernel = _columns(shape)
    rank = outputs if len(shape) == 4 else min(outputs, inputs)
    return Measured(rank=rank, trained_rank=None, inputs=inputs, outputs=outputs, kernel=kernel)


def _columns(shape: Shape) -> tuple[int, int, tuple[int, int]]:
    if len(shape) == 4:
        return shape[0], shape[1], (shape[2], shape[3])
    return (*flat(shape), POINT)


def _refuse_both(shapes: Mapping[str, Shape], *, half: str) -> None:
    if f"{half}_a" in shapes or f"{half}_b" in shapes:
        raise Malformed(f"has {half} both whole and decomposed", reason="INCOMPLETE_PAIR")


def _left_pair(tensors: Mapping[str, Array]) -> Pair:
    if "lokr_w1" in tensors:
        return whole(matrix(tensors["lokr_w1"]))
    first, second = matrix(tensors["lokr_w1_a"]), matrix(tensors["lokr_w1_b"])
    if first.shape[1] > min(first.shape[0], second.shape[1]):
        return whole(np.matmul(first, second))
    return Pair(down=second, up=first)


def _right_pair(tensors: Mapping[str, Array]) -> Pair:
    if "lokr_w2" in tensors:
        return whole(tensors["lokr_w2"])
    first, second = tensors["lokr_w2_a"], tensors["lokr_w2_b"]
    if "lokr_t2" in tensors:
        return fold_core(Pair(down=second, up=matrix(first).T), core=tensors["lokr_t2"])
    return Pair(down=second, up=matrix(first))
