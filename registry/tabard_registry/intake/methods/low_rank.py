# SPDX-License-Identifier: Apache-2.0
"""Checks the tensors of one layer: method, types, shapes against the base, rank, values, alpha."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tabard_registry.intake.layers.checked import CheckedChange, CheckedLayer
from tabard_registry.intake.layers.factors import Axis, Factors
from tabard_registry.intake.layers.method import Measured, Method
from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.lora import Lora
from tabard_registry.intake.methods.module_tensors import LayerRefused, ModuleTensors
from tabard_registry.intake.methods.rebuilt import read_rebuilt
from tabard_registry.intake.profile import FAMILY_OF_WIDTH, ModuleShape

PAIR_METHODS: tuple[Method, ...] = (Lora(), Loha(), Lokr())
"""Every method that becomes a pair."""
PAIR_PARTS = frozenset[str]().union(*(method.parts for method in PAIR_METHODS))
"""Every part that only these methods have."""
MAGNITUDES = ("dora_scale", "magnitude_vector")
"""DoRA's magnitude, as LyCORIS and kohya write it and as PEFT does."""


def read_layer(
    tensors: ModuleTensors, *, module: ModuleShape
) -> CheckedLayer | CheckedChange | None:
    """Check the low-rank tensors of a module: a pair for slots, or more than slots take.

    Factors of rank 0, which some trainers write for layers that they skip, change nothing.

    Raises:
        LayerRefused: They cannot be applied completely.
        Malformed: They do not fit each other.
    """
    factors = _factors(tensors, module=module)
    if factors.measured.rank == 0:
        _check_skipped(tensors)
        return None
    if factors.can_overflow():
        raise LayerRefused(
            "NOT_FINITE", f"{tensors.name} overflows when its factors are multiplied"
        )
    measured = factors.measured
    scale = tensors.scale(rank=measured.trained_rank, fallback_rank=measured.rank)
    _check_configured(tensors, factors)
    if measured.rank > tensors.context.limits.rank_max:
        return read_rebuilt(tensors, factors, scale=scale, magnitude=_magnitude(tensors.keys))
    return CheckedLayer(
        component=tensors.component, module=tensors.name, scale=scale, factors=factors
    )


def _check_skipped(tensors: ModuleTensors) -> None:
    """Refuse what is scaled by, or scales, a product that is not there."""
    beside = [part for part in (*MAGNITUDES, "up_bias") if part in tensors.keys]
    if beside:
        what = tensors.keys[beside[0]]
        raise LayerRefused("BAD_SHAPE", f"{tensors.name} has rank 0, and {what} beside it")


def _check_configured(tensors: ModuleTensors, factors: Factors) -> None:
    """Compare with what the configuration says, if there is one."""
    trained = factors.measured.trained_rank
    alpha = tensors.alpha_rule(tensors.component, tensors.name, trained or factors.measured.rank)
    if alpha is None:
        return
    if alpha.is_dora not in (None, bool(factors.axis)):
        says = "a magnitude" if alpha.is_dora else "no magnitude"
        raise LayerRefused(
            "INCOMPLETE_PAIR", f"the configuration says that {tensors.name} has {says}"
        )
    if trained is not None and alpha.rank not in (None, trained):
        raise LayerRefused(
            "BAD_SHAPE",
            f"the configuration says rank {alpha.rank} of {tensors.name}, the tensors {trained}",
        )


def _factors(tensors: ModuleTensors, *, module: ModuleShape) -> Factors:
    method = _method(tensors.keys, name=tensors.name)
    keys = {part: key for part, key in tensors.keys.items() if part in method.parts}
    measured = method.measure({part: tensors.shape(part) for part in keys}, module=module)
    _check_fit(measured, name=tensors.name, module=module)
    magnitude = _magnitude(tensors.keys)
    return Factors(
        source=tensors.file,
        method=method,
        keys=keys,
        measured=measured,
        module=module,
        magnitude_key=tensors.keys[magnitude] if magnitude else None,
        axis=_axis(tensors, module=module) if magnitude else "",
    )


def _magnitude(keys: Mapping[str, str]) -> str | None:
    return next((part for part in MAGNITUDES if part in keys), None)


def _method(keys: Mapping[str, str], *, name: str) -> Method:
    used = [method for method in PAIR_METHODS if keys.keys() & method.parts]
    if len(used) > 1:
        names = " and ".join(method.known_as.title for method in used)
        raise LayerRefused("INCOMPLETE_PAIR", f"{name} is both {names}")
    return used[0]


def _check_fit(measured: Measured, *, name: str, module: ModuleShape) -> None:
    if (measured.inputs, measured.outputs) != (module.inputs, module.outputs):
        detail = f"{name} maps {measured.inputs} to {measured.outputs}"
        detail += f", in this base {module.inputs} to {module.outputs}"
        if "attn2.to_k" in name and measured.inputs in FAMILY_OF_WIDTH:
            family = FAMILY_OF_WIDTH[measured.inputs]
            detail += f"; text width {measured.inputs} is that of {family}"
        raise LayerRefused("SHAPE_MISMATCH", detail)
    if measured.kernel != module.kernel:
        mine, theirs = ("x".join(map(str, k)) for k in (module.kernel, measured.kernel))
        raise LayerRefused("SHAPE_MISMATCH", f"{name} has a kernel of {theirs}, here {mine}")


def _axis(tensors: ModuleTensors, *, module: ModuleShape) -> Axis:
    """Tell which side a magnitude scales: LyCORIS says it by its shape, PEFT always the outputs.

    A LyCORIS of version 4 writes [out, 1, …], an older one and OneTrainer [1, in, …].
    """
    if all(part in tensors.keys for part in MAGNITUDES):
        raise LayerRefused("DUPLICATE_TARGET", f"{tensors.name} has two magnitudes")
    if "magnitude_vector" in tensors.keys:
        key, shape = tensors.keys["magnitude_vector"], tensors.shape("magnitude_vector")
        if shape in ((module.outputs,), (module.outputs, 1), (1, module.outputs, 1, 1)):
            return "outputs"
    else:
        key, shape = tensors.keys["dora_scale"], tensors.shape("dora_scale")
        if len(shape) in (2, 4) and math.prod(shape[2:]) == 1:
            if shape[:2] == (module.outputs, 1):
                return "outputs"
            if shape[:2] == (1, module.inputs):
                return "inputs"
    raise LayerRefused("SHAPE_MISMATCH", f"{key} has the shape {list(shape)}")
