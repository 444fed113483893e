# SPDX-License-Identifier: Apache-2.0
"""LoRA and LoCon: a down and an up factor, and for convolutions sometimes a Tucker core between."""

from __future__ import annotations

from collections.abc import Mapping

from tabard_registry.intake.layers.method import (
    Measured,
    Shape,
    agree,
    core_kernel,
    flat,
    require,
    unrolled_shape,
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
            down_rank, inputs, kernel = unrolled_shape(shapes["down"], module=module)
        agree(down_rank, rank, what="factors of ranks")
        return Measured(rank=rank, trained_rank=rank, inputs=inputs, outputs=outputs, kernel=kernel)

    def stored(self, shapes: Mapping[str, Shape], *, module: ModuleShape) -> Mapping[str, Shape]:
        """Write the kernel of a down factor in dimensions of its own, as kohya does."""
        down = shapes["down"]
        if "mid" in shapes or module.is_pointwise or len(down) == 4:
            return {}
        return {"down": (down[0], module.inputs, *module.kernel)}

    def build(self, tensors: Mapping[str, Array], *, module: ModuleShape) -> Pair:
        """Without a core the factors are taken as they are, to the bit."""
        down, up = tensors["down"], tensors["up"]
        pair = Pair(down=down, up=up.reshape(up.shape[:2]))
        return fold_core(pair, core=tensors["mid"]) if "mid" in tensors else pair
