# SPDX-License-Identifier: Apache-2.0
"""LoHa: the element-by-element product of two low-rank changes, which is a LoRA of rank squared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from tabard_registry.intake.layers.method import (
    POINT,
    Malformed,
    Measured,
    Shape,
    agree,
    core_kernel,
    flat,
    require,
    unrolled_shape,
)
from tabard_registry.intake.layers.products import Array, Pair, fold_core, hadamard, matrix
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import HADAMARD

_FACTORS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


class Loha:
    """Implements `Method`."""

    known_as = HADAMARD
    parts = HADAMARD.keys

    def measure(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Measured:
        """Both halves have one rank; with cores they are written the other way round."""
        has_core = "hada_t1" in shapes or "hada_t2" in shapes
        require(shapes, *_FACTORS, *(("hada_t1", "hada_t2") if has_core else ()))
        first, second = (_measure_half(shapes, number=n, module=module) for n in (1, 2))
        agree(first.rank, second.rank, what="factors of ranks")
        agree(first.outputs, second.outputs, what="outputs")
        agree(first.inputs, second.inputs, what="inputs")
        if first.kernel != second.kernel:
            raise Malformed("has two halves of different kernels")
        return replace(first, rank=first.rank * second.rank)

    def stored(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Mapping[str, Shape]:
        """Write a kernel of its own in the second dimension, as LyCORIS does."""
        return {
            part: (shape[0], math.prod(shape[1:]))
            for part, shape in shapes.items()
            if part.endswith("_b") and math.prod(shape[2:]) > 1
        }

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Multiply the two halves, each with its core folded in."""
        return hadamard(*(_half(tensors, number=n, module=module) for n in (1, 2)))


def _measure_half(shapes: Mapping[str, Shape], *, number: int, module: ModuleShape) -> Measured:
    first, core = flat(shapes[f"hada_w{number}_a"]), shapes.get(f"hada_t{number}")
    if core is None:
        outputs, rank = first
        rows, inputs, kernel = unrolled_shape(shapes[f"hada_w{number}_b"], module=module)
    else:
        rank, outputs = first
        rows, inputs = flat(shapes[f"hada_w{number}_b"])
        kernel = core_kernel(core, rank=rank)
    agree(rank, rows, what="factors of ranks")
    return Measured(rank=rank, trained_rank=rank, inputs=inputs, outputs=outputs, kernel=kernel)


def _half(tensors: Mapping[str, Array], *, number: int, module: ModuleShape) -> Pair:
    first, second = tensors[f"hada_w{number}_a"], tensors[f"hada_w{number}_b"]
    core = tensors.get(f"hada_t{number}")
    if core is not None:
        return fold_core(Pair(down=second, up=matrix(first).T), core=core)
    rows, inputs, kernel = unrolled_shape(second.shape, module=module)
    tail = () if kernel == POINT else kernel
    return Pair(down=second.reshape(rows, inputs, *tail), up=matrix(first))
