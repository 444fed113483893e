# SPDX-License-Identifier: Apache-2.0
"""LoHa: the element-by-element product of two low-rank changes, which is a LoRA of rank squared."""

from __future__ import annotations

from collections.abc import Mapping

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
        (a1, b1), (a2, b2) = (
            (flat(shapes[f"hada_w{n}_a"]), flat(shapes[f"hada_w{n}_b"])) for n in (1, 2)
        )
        if has_core:
            a1, a2 = a1[::-1], a2[::-1]
        agree(a1[1], b1[0], a2[1], b2[0], what="factors of ranks")
        agree(a1[0], a2[0], what="outputs")
        agree(b1[1], b2[1], what="inputs")
        rank = a1[1]
        inputs, kernel = unrolled(b1[1], module=module)
        if has_core:
            inputs, kernel = b1[1], core_kernel(shapes["hada_t1"], rank=rank)
            if kernel != core_kernel(shapes["hada_t2"], rank=rank):
                raise Malformed("has two cores of different kernels")
        return Measured(
            rank=rank * rank, trained_rank=rank, inputs=inputs, outputs=a1[0], kernel=kernel
        )

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Multiply the two halves, each with its core folded in."""
        return hadamard(*(_half(tensors, number=n, module=module) for n in (1, 2)))


def _half(tensors: Mapping[str, Array], *, number: int, module: ModuleShape) -> Pair:
    first, second = tensors[f"hada_w{number}_a"], tensors[f"hada_w{number}_b"]
    core = tensors.get(f"hada_t{number}")
    if core is not None:
        return fold_core(Pair(down=second, up=matrix(first).T), core=core)
    inputs, kernel = unrolled(second.shape[1], module=module)
    tail = () if kernel == POINT else kernel
    return Pair(down=second.reshape(-1, inputs, *tail), up=first)
