# SPDX-License-Identifier: Apache-2.0
"""Low-rank layers beyond what slots take: their own tensors, worn only in a merged copy."""

from __future__ import annotations

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.factors import Axis, Factors
from tabard_registry.intake.methods.module_tensors import WEIGHT, Group, LayerRefused

_METHODS = {"LoRA": "lora", "LoHa": "hadamard", "LoKr": "kronecker"}
_PREFIXES = ("hada_", "lokr_")


def read_rebuilt(
    group: Group, factors: Factors, *, scale: float, magnitude: str | None
) -> CheckedChange:
    """Take the tensors of a layer as they are.

    Args:
        group: The tensors.
        factors: What they were found to be.
        scale: alpha over rank.
        magnitude: The part that is DoRA's magnitude, or None.

    Raises:
        LayerRefused: The trained rank is beyond every limit.
    """
    rank_max = group.context.limits.merged_rank_max
    trained = factors.measured.trained_rank or 0
    if trained > rank_max:
        what = f"{group.name} is a {factors.method.name} of rank {trained}"
        raise LayerRefused("RANK_TOO_LARGE", f"{what}; at most {rank_max} is taken")
    parts = {_plain(part): group.part(part) for part in sorted(factors.keys)}
    options: dict[str, float | str | bool] = {}
    if magnitude is not None:
        parts["magnitude"] = group.part(magnitude, shape=(_length(factors, factors.axis),))
        options["magnitude_axis"] = factors.axis
    return CheckedChange(
        component=group.component,
        parameter=f"{group.name}.{WEIGHT}",
        method=_METHODS[factors.method.name],
        scale=scale,
        parts=parts,
        options=options,
    )


def _plain(part: str) -> str:
    for prefix in _PREFIXES:
        part = part.removeprefix(prefix)
    return part


def _length(factors: Factors, axis: Axis) -> int:
    measured = factors.measured
    return measured.inputs if axis == "inputs" else measured.outputs
