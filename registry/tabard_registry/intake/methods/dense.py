# SPDX-License-Identifier: Apache-2.0
"""Full differences: of a weight, of a bias, of a norm, and the biases that LoRAs bring along."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Shape
from tabard_registry.intake.methods.module_tensors import BIAS, WEIGHT, Group, LayerRefused

WEIGHT_PARTS = frozenset({"diff", "w_norm"})
"""The difference of a weight, as everybody and as LyCORIS' norms call it."""
BIAS_PARTS = frozenset({"diff_b", "b_norm", "up_bias"})
"""The difference of a bias; `up_bias` is PEFT's bias of the up factor, scaled like the factors."""


def read_dense_weight(group: Group, part: str) -> CheckedChange:
    """Take the difference of a weight.

    Raises:
        LayerRefused: It has another shape than the weight.
    """
    if "alpha" in group.keys:
        raise LayerRefused("BAD_ALPHA", f"{group.name} has an alpha beside a full difference")
    return _dense(group, part, own=WEIGHT, shape=_weight_shape(group), scale=1.0)


def read_biases(group: Group, *, scale: float | None) -> Iterator[CheckedChange]:
    """Take the differences of a bias.

    Args:
        group: The tensors.
        scale: Scale of the low-rank pair beside them; None without one.

    Raises:
        LayerRefused: The module has no bias, or another one.
    """
    found = [part for part in sorted(BIAS_PARTS) if part in group.keys]
    if len(found) > 1:
        raise LayerRefused("DUPLICATE_TARGET", f"the bias of {group.name} is changed twice")
    for part in found:
        if part == "up_bias" and scale is None:
            raise LayerRefused("INCOMPLETE_PAIR", f"{group.name} has a bias without its factors")
        width = group.width_of(BIAS)
        if width is None:
            raise LayerRefused("SHAPE_MISMATCH", f"{group.name} has no bias in this base")
        own_scale = scale if part == "up_bias" and scale is not None else 1.0
        yield _dense(group, part, own=BIAS, shape=(width,), scale=own_scale)


def _weight_shape(group: Group) -> Shape:
    width, module = group.width_of(WEIGHT), group.module
    if width is not None:
        return (width,)
    if module is None:
        raise LayerRefused("SHAPE_MISMATCH", f"{group.name} has no weight in this base")
    kernel = module.kernel if module.kind == "conv2d" else ()
    return (module.outputs, module.inputs, *kernel)


def _dense(group: Group, part: str, *, own: str, shape: Shape, scale: float) -> CheckedChange:
    found = group.shape(part)
    if found != shape and not _is_pointwise_twin(found, shape):
        detail = f"the {own} of {group.name} is {list(shape)} in this base, here {list(found)}"
        raise LayerRefused("SHAPE_MISMATCH", detail)
    return CheckedChange(
        component=group.component,
        parameter=f"{group.name}.{own}",
        method="dense",
        scale=scale,
        parts={"diff": group.part(part, shape=shape)},
    )


def _is_pointwise_twin(found: Shape, shape: Shape) -> bool:
    """Whether both are one matrix, of which one is written as a 1x1 kernel."""
    sizes = {len(found), len(shape)}
    return sizes == {2, 4} and found[:2] == shape[:2] and math.prod(found) == math.prod(shape)
