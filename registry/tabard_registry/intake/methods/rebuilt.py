# SPDX-License-Identifier: Apache-2.0
"""Low-rank layers beyond what slots take: their own tensors, worn only in a merged copy."""

from __future__ import annotations

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.factors import Axis, Factors
from tabard_registry.intake.methods.module_tensors import LayerRefused, ModuleTensors
from tabard_registry.release.change_methods import MAGNITUDE, MAGNITUDE_AXIS


def read_rebuilt(
    tensors: ModuleTensors, factors: Factors, *, scale: float, magnitude: str | None
) -> CheckedChange:
    """Take the tensors of a layer as they are.

    Args:
        tensors: The tensors.
        factors: What they were found to be.
        scale: alpha over rank.
        magnitude: The part that is DoRA's magnitude, or None.

    Raises:
        LayerRefused: The trained rank is beyond every limit.
    """
    rank_max = tensors.context.limits.merged_rank_max
    method, trained = factors.method.known_as, factors.measured.trained_rank or 0
    if trained > rank_max:
        what = f"{tensors.name} is a {method.title} of rank {trained}"
        raise LayerRefused("RANK_TOO_LARGE", f"{what}; at most {rank_max} is taken")
    keys = {part: f"{method.prefix}{part}" for part in method.parts}
    stored = factors.method.stored(
        {key: tensors.shape(key) for key in factors.keys}, module=factors.module
    )
    parts = {
        part: tensors.part(key, shape=stored.get(key))
        for part, key in keys.items()
        if key in factors.keys
    }
    options: dict[str, float | str | bool] = {}
    if magnitude is not None:
        parts[MAGNITUDE] = tensors.part(magnitude, shape=(_length(factors, factors.axis),))
        options[MAGNITUDE_AXIS] = factors.axis
    return tensors.change(method, parts, scale=scale, options=options)


def _length(factors: Factors, axis: Axis) -> int:
    measured = factors.measured
    return measured.inputs if axis == "inputs" else measured.outputs
