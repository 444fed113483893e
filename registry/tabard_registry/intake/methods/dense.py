# SPDX-License-Identifier: Apache-2.0
"""Full differences: of a weight, of a bias, of a norm, and the biases that LoRAs bring along."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Shape
from tabard_registry.intake.methods.module_tensors import BIAS, WEIGHT, LayerRefused, ModuleTensors
from tabard_registry.release.change_methods import DENSE

FULL_RANK = "full_rank"
"""The difference of a weight, as ai-toolkit writes it: one factor, and alpha over its rank."""
WEIGHT_PARTS = frozenset({"diff", "w_norm", FULL_RANK})
"""The difference of a weight; the first two as everybody and as LyCORIS' norms call it."""
BIAS_PARTS = frozenset({"diff_b", "b_norm", "up_bias"})
"""The difference of a bias; `up_bias` is PEFT's bias of the up factor, scaled like the factors."""

_RANK_KEY = "ss_network_dim"
_RANK = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def read_dense_weight(tensors: ModuleTensors, part: str) -> CheckedChange:
    """Take the difference of a weight.

    Raises:
        LayerRefused: It has another shape than the weight.
    """
    if part == FULL_RANK:
        return _full_rank(tensors)
    if "alpha" in tensors.keys:
        raise LayerRefused("BAD_ALPHA", f"{tensors.name} has an alpha beside a full difference")
    return _dense(tensors, part, own=WEIGHT, shape=_weight_shape(tensors), scale=1.0)


def read_biases(tensors: ModuleTensors, *, scale: float | None) -> Iterator[CheckedChange]:
    """Take the differences of a bias.

    Args:
        tensors: The tensors.
        scale: Scale of the low-rank pair beside them; None without one.

    Raises:
        LayerRefused: The module has no bias, or another one.
    """
    found = [part for part in sorted(BIAS_PARTS) if part in tensors.keys]
    if len(found) > 1:
        raise LayerRefused("DUPLICATE_TARGET", f"the bias of {tensors.name} is changed twice")
    for part in found:
        if part == "up_bias" and scale is None:
            raise LayerRefused("INCOMPLETE_PAIR", f"{tensors.name} has a bias without its factors")
        width = tensors.width_of(BIAS)
        if width is None:
            raise LayerRefused("NO_BIAS", f"{tensors.name}, by {tensors.keys[part]}")
        own_scale = scale if part == "up_bias" and scale is not None else 1.0
        yield _dense(tensors, part, own=BIAS, shape=(width,), scale=own_scale)


def _full_rank(tensors: ModuleTensors) -> CheckedChange:
    shape = _weight_shape(tensors)
    if tensors.shape(FULL_RANK) != shape:
        raise LayerRefused("INCOMPLETE_PAIR", f"{tensors.name} has no up factor")
    return _dense(tensors, FULL_RANK, own=WEIGHT, shape=shape, scale=_full_rank_scale(tensors))


def _full_rank_scale(tensors: ModuleTensors) -> float:
    """Without an alpha it is 1; with one only the header can say the rank to divide it by."""
    if "alpha" not in tensors.keys:
        return 1.0
    rank = tensors.file.metadata.get(_RANK_KEY, "")
    if not _RANK.fullmatch(rank):
        raise LayerRefused(
            "RANK_UNKNOWN",
            f"{tensors.name} is one factor of full rank, and no {_RANK_KEY} in the header says "
            "what its alpha is divided by",
        )
    return tensors.scale(rank=int(rank), fallback_rank=int(rank))


def _weight_shape(tensors: ModuleTensors) -> Shape:
    width, module = tensors.width_of(WEIGHT), tensors.module
    if width is not None:
        return (width,)
    if module is None:
        raise LayerRefused("SHAPE_MISMATCH", f"{tensors.name} has no weight in this base")
    kernel = module.kernel if module.kind == "conv2d" else ()
    return (module.outputs, module.inputs, *kernel)


def _dense(
    tensors: ModuleTensors, part: str, *, own: str, shape: Shape, scale: float
) -> CheckedChange:
    found = tensors.shape(part)
    if found != shape and not _is_pointwise_twin(found, shape):
        detail = f"the {own} of {tensors.name} is {list(shape)} in this base, here {list(found)}"
        raise LayerRefused("SHAPE_MISMATCH", detail)
    return tensors.change(DENSE, {"diff": tensors.part(part, shape=shape)}, own=own, scale=scale)


def _is_pointwise_twin(found: Shape, shape: Shape) -> bool:
    """Whether both are one matrix, of which one is written as a 1x1 kernel."""
    sizes = {len(found), len(shape)}
    return sizes == {2, 4} and found[:2] == shape[:2] and math.prod(found) == math.prod(shape)
