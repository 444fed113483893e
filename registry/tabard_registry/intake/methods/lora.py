# SPDX-License-Identifier: Apache-2.0
"""LoRA and LoCon: a down and an up factor, and for convolutions sometimes a Tucker core between."""

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
)
from tabard_registry.intake.layers.products import Array, Pair, fold_core
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import LORA


class Lora:
    """Implements `Method`."""

    known_as = LORA
    parts = LORA.keys

    def measure(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Measured:
        """The kernel is that of the core, or of the down factor."""
        require(shapes, "down", "up")
        outputs, rank = flat(shapes["up"])
        if "mid" in shapes:
            down_rank, inputs = flat(shapes["down"])
            kernel = core_kernel(shapes["mid"], rank=rank)
        else:
            down_rank, inputs, kernel = _down(shapes["down"])
        agree(down_rank, rank, what="factors of ranks")
        return Measured(rank=rank, trained_rank=rank, inputs=inputs, outputs=outputs, kernel=kernel)

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Without a core the factors are taken as they are, to the bit."""
        down, up = tensors["down"], tensors["up"]
        pair = Pair(down=down, up=up.reshape(up.shape[:2]))
        return fold_core(pair, core=tensors["mid"]) if "mid" in tensors else pair


def _down(shape: Shape) -> tuple[int, int, tuple[int, int]]:
    if len(shape) == 2:
        return shape[0], shape[1], POINT
    if len(shape) == 4:
        return shape[0], shape[1], (shape[2], shape[3])
    raise Malformed(f"has a down factor of shape {list(shape)}")
