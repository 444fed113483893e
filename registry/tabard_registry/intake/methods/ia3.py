# SPDX-License-Identifier: Apache-2.0
"""IA3: a change that makes the rows or columns of a weight longer or shorter."""

from __future__ import annotations

import math

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import require
from tabard_registry.intake.layers.products import Array
from tabard_registry.intake.methods.module_tensors import BIAS, WEIGHT, LayerRefused, ModuleTensors
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import IA3


class Ia3:
    """IA3 of LyCORIS, whose numbers are differences from one; implements `ChangeReader`."""

    known_as = IA3
    parts = frozenset({"ia3_weight", "on_input"})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """`on_input` says which side is scaled; no bias is."""
        require(tensors.keys, "ia3_weight", "on_input")
        if "alpha" in tensors.keys:
            raise LayerRefused("BAD_ALPHA", f"{tensors.name} is an IA3 with an alpha")
        on_input = bool(tensors.number("on_input"))
        _check_size(tensors, "ia3_weight", size=module.inputs if on_input else module.outputs)
        parts = {"weight": tensors.part("ia3_weight")}
        return [tensors.change(IA3, parts, options={"on_input": on_input})]


class PeftIa3:
    """IA3 of PEFT, whose numbers are factors; implements `ChangeReader`."""

    known_as = IA3
    parts = frozenset({"ia3_l"})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Where outputs are scaled the bias is, too."""
        on_input = _scales_inputs(tensors, module=module)
        size = module.inputs if on_input else module.outputs
        _check_size(tensors, "ia3_l", size=size)
        owns = [WEIGHT]
        if not on_input and tensors.width_of(BIAS) is not None:
            owns.append(BIAS)
        parts = {"weight": tensors.part("ia3_l", shape=(size,), rewrite=_less_one)}
        options = {"on_input": on_input}
        return [tensors.change(IA3, parts, own=own, options=options) for own in owns]


def _scales_inputs(tensors: ModuleTensors, *, module: ModuleShape) -> bool:
    """A linear layer's shape says the side; a convolution's only the configuration."""
    shape = tensors.shape("ia3_l")
    if module.kind == "linear":
        return shape == (1, module.inputs) and shape != (module.outputs, 1)
    config = tensors.context.config
    names = (config or {}).get("feedforward_modules")
    if not isinstance(names, list):
        raise LayerRefused("ALPHA_UNKNOWN", f"nothing says which side of {tensors.name} is scaled")
    return any(tensors.name == name or tensors.name.endswith(f".{name}") for name in names)


def _check_size(tensors: ModuleTensors, part: str, *, size: int) -> None:
    shape = tensors.shape(part)
    if max(shape, default=0) != size or math.prod(shape) != size:
        raise LayerRefused(
            "SHAPE_MISMATCH", f"{tensors.name} scales {math.prod(shape)} channels, here {size}"
        )


def _less_one(factors: Array) -> Array:
    less: Array = factors - 1.0
    return less
