# SPDX-License-Identifier: Apache-2.0
"""GLoRA: a low-rank change beside a weight, and one of what it reads: W a1 a2 + b1 b2."""

from __future__ import annotations

import math

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Malformed, Shape, agree, flat, require, unrolled
from tabard_registry.intake.methods.module_tensors import WEIGHT, Group, LayerRefused
from tabard_registry.intake.profile import ModuleShape

_FACTORS = ("a1", "a2", "b1", "b2")
_SWAPPED = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}


class Glora:
    """GLoRA of LyCORIS; implements `ChangeMethod`."""

    name = "GLoRA"
    parts = frozenset(_FACTORS)

    def read(self, group: Group, *, module: ModuleShape) -> list[CheckedChange]:
        """Files of LyCORIS 1 have the factors of each pair the other way round."""
        require(group.keys, *_FACTORS)
        source = {part: part for part in _FACTORS}
        if _fits(group, source=_SWAPPED, module=module) is not None:
            if _fits(group, source=source, module=module) is not None:
                raise LayerRefused(
                    "ALPHA_UNKNOWN", f"nothing says which way round the GLoRA {group.name} is"
                )
            source = _SWAPPED
        rank = _fits(group, source=source, module=module)
        if rank is None:
            shapes = ", ".join(f"{part} {list(group.shape(part))}" for part in _FACTORS)
            raise LayerRefused(
                "SHAPE_MISMATCH",
                f"{group.name} maps {module.inputs} to {module.outputs} here, in the file {shapes}",
            )
        return [
            CheckedChange(
                component=group.component,
                parameter=f"{group.name}.{WEIGHT}",
                method="glora",
                scale=group.scale(rank=rank, fallback_rank=rank),
                parts={part: group.part(source[part]) for part in _FACTORS},
            )
        ]


def _fits(group: Group, *, source: dict[str, str], module: ModuleShape) -> int | None:
    """Return the rank if the factors, taken in this order, make a change of the module."""
    try:
        shapes = {part: group.shape(source[part]) for part in _FACTORS}
        (wide, rank), (back, inputs) = flat(shapes["a1"]), flat(shapes["a2"])
        outputs, up_rank = flat(shapes["b1"])
        down_rank, reads, kernel = _down(shapes["b2"], module=module)
        agree(rank, back, up_rank, down_rank, what="factors of ranks")
        agree(wide, inputs, reads, module.inputs, what="inputs")
        agree(outputs, module.outputs, what="outputs")
    except Malformed:
        return None
    return rank if kernel == module.kernel else None


def _down(shape: Shape, *, module: ModuleShape) -> tuple[int, int, tuple[int, int]]:
    if len(shape) == 4:
        return shape[0], shape[1], (shape[2], shape[3])
    if len(shape) != 2:
        raise Malformed(f"has a factor of shape {list(shape)}")
    return (shape[0], *unrolled(math.prod(shape[1:]), module=module))
