# SPDX-License-Identifier: Apache-2.0
"""GLoRA: a low-rank change beside a weight, and one of what it reads: W a1 a2 + b1 b2."""

from __future__ import annotations

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Malformed, agree, flat, require, unrolled_shape
from tabard_registry.intake.methods.module_tensors import LayerRefused, ModuleTensors
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import GLORA

_SWAPPED = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}


class Glora:
    """GLoRA of LyCORIS; implements `ChangeReader`."""

    known_as = GLORA
    parts = GLORA.keys

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Files of LyCORIS 1 have the factors of each pair the other way round."""
        require(tensors.keys, *GLORA.parts)
        source = {part: part for part in GLORA.parts}
        if _fits(tensors, source=_SWAPPED, module=module) is not None:
            if _fits(tensors, source=source, module=module) is not None:
                raise LayerRefused(
                    "ALPHA_UNKNOWN", f"nothing says which way round the GLoRA {tensors.name} is"
                )
            source = _SWAPPED
        rank = _fits(tensors, source=source, module=module)
        if rank is None:
            shapes = ", ".join(f"{part} {list(tensors.shape(part))}" for part in GLORA.parts)
            raise LayerRefused(
                "SHAPE_MISMATCH",
                f"{tensors.name} maps {module.inputs} to {module.outputs} here, "
                f"in the file {shapes}",
            )
        parts = {part: tensors.part(source[part]) for part in GLORA.parts}
        scale = tensors.scale(rank=rank, fallback_rank=rank)
        return [tensors.change(GLORA, parts, scale=scale)]


def _fits(tensors: ModuleTensors, *, source: dict[str, str], module: ModuleShape) -> int | None:
    """Return the rank if the factors, taken in this order, make a change of the module."""
    try:
        shapes = {part: tensors.shape(source[part]) for part in GLORA.parts}
        (wide, rank), (back, inputs) = flat(shapes["a1"]), flat(shapes["a2"])
        outputs, up_rank = flat(shapes["b1"])
        down_rank, reads, kernel = unrolled_shape(shapes["b2"], module=module)
        agree(rank, back, up_rank, down_rank, what="factors of ranks")
        agree(wide, inputs, reads, module.inputs, what="inputs")
        agree(outputs, module.outputs, what="outputs")
    except Malformed:
        return None
    return rank if kernel == module.kernel else None
