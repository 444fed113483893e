# SPDX-License-Identifier: Apache-2.0
"""Checks the tensors of one layer: method, types, shapes against the base, rank, values, alpha."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from livery_registry.intake.dialect import Context
from livery_registry.intake.factors import Axis, Factors
from livery_registry.intake.header import TensorFile
from livery_registry.intake.loha import Loha
from livery_registry.intake.lokr import Lokr
from livery_registry.intake.lora import Lora
from livery_registry.intake.methods import Malformed, Measured, Method
from livery_registry.profile import ModuleShape
from livery_registry.report import CheckedLayer

METHODS: tuple[Method, ...] = (Lora(), Loha(), Lokr())
"""Every method that becomes a pair."""
MAGNITUDES = ("dora_scale", "magnitude_vector")
"""DoRA's magnitude, as LyCORIS and kohya write it and as PEFT does."""

_FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}


class LayerRefused(Exception):
    """A layer is refused.

    Attributes:
        reason: Stable UPPER_SNAKE code.
        detail: What is wrong with it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """What is known of a layer beside its tensors.

    Attributes:
        value: alpha.
        is_rslora: Whether the scale is alpha / sqrt(rank) instead of alpha / rank.
        is_dora: Whether a magnitude belongs to it; None when nothing says so.
        rank: The rank to divide by even where the tensors are whole; None: the tensors' own.
    """

    value: float
    is_rslora: bool = False
    is_dora: bool | None = None
    rank: int | None = None

    def scale(self, *, rank: int | None) -> float:
        """Return what the product of the factors is multiplied with."""
        divisor = rank or self.rank
        if divisor is None:
            return 1.0
        return self.value / (math.sqrt(divisor) if self.is_rslora else divisor)


AlphaRule = Callable[[str, str, int], Alpha | None]
"""From component, module and rank to alpha; None when it cannot be known."""


def read_layer(
    file: TensorFile,
    target: tuple[str, str],
    group: Mapping[str, str],
    *,
    alpha_rule: AlphaRule,
    context: Context,
) -> CheckedLayer:
    """Check the tensors of one layer.

    Args:
        file: The file that holds them.
        target: Component and module.
        group: Part to key.
        alpha_rule: alpha where no tensor says it.
        context: The base and the bounds.

    Raises:
        LayerRefused: They cannot be applied completely.
    """
    component, name = target
    module = context.profile.modules[component][name]
    _check_types(file, group)
    factors = _factors(file, group, name=name, module=module)
    rank_max = context.limits.rank_max
    if factors.measured.rank > rank_max:
        what = f"{name} is a {factors.method.name} of rank {factors.measured.rank}"
        raise LayerRefused("RANK_TOO_LARGE", f"{what}; at most {rank_max} is taken")
    for part, key in group.items():
        if part != "alpha" and not file.is_finite(key):
            raise LayerRefused("NOT_FINITE", f"{key} holds NaN or infinity")
    if factors.can_overflow():
        raise LayerRefused("NOT_FINITE", f"{name} overflows when its factors are multiplied")
    trained_rank = factors.measured.trained_rank
    alpha = alpha_rule(component, name, trained_rank or factors.measured.rank)
    scale = _scale(file, name, group, alpha=alpha, rank=trained_rank, context=context)
    if alpha is not None and alpha.is_dora not in (None, bool(factors.axis)):
        says = "a magnitude" if alpha.is_dora else "no magnitude"
        raise LayerRefused("INCOMPLETE_PAIR", f"the configuration says that {name} has {says}")
    return CheckedLayer(component=component, module=name, scale=scale, factors=factors)


def _check_types(file: TensorFile, group: Mapping[str, str]) -> None:
    for part, key in group.items():
        entry = file.tensors[key]
        if not entry.is_float and not (part == "alpha" and entry.dtype in ("I32", "I64")):
            raise LayerRefused("UNSUPPORTED_DTYPE", f"{key} is {entry.dtype}")


def _factors(
    file: TensorFile, group: Mapping[str, str], *, name: str, module: ModuleShape
) -> Factors:
    method = _method(group, name=name)
    keys = {part: key for part, key in group.items() if part in method.parts}
    try:
        measured = method.measure(
            {part: file.tensors[key].shape for part, key in keys.items()}, module=module
        )
    except Malformed as error:
        raise LayerRefused("INCOMPLETE_PAIR", f"{name} {error}") from error
    _check_fit(measured, name=name, module=module)
    magnitude = next((part for part in MAGNITUDES if part in group), None)
    return Factors(
        source=file,
        method=method,
        keys=keys,
        measured=measured,
        module=module,
        magnitude_key=group[magnitude] if magnitude else None,
        axis=_axis(file, group, name=name, module=module) if magnitude else "",
    )


def _method(group: Mapping[str, str], *, name: str) -> Method:
    parts = group.keys() - {"alpha", *MAGNITUDES}
    speaking = [method for method in METHODS if parts & method.parts]
    if not speaking:
        raise LayerRefused("INCOMPLETE_PAIR", f"{name} has no down and no up factor")
    if len(speaking) > 1:
        names = " and ".join(method.name for method in speaking)
        raise LayerRefused("INCOMPLETE_PAIR", f"{name} is both {names}")
    return speaking[0]


def _check_fit(measured: Measured, *, name: str, module: ModuleShape) -> None:
    if (measured.inputs, measured.outputs) != (module.inputs, module.outputs):
        detail = f"{name} maps {measured.inputs} to {measured.outputs}"
        detail += f", in this base {module.inputs} to {module.outputs}"
        if "attn2.to_k" in name and measured.inputs in _FAMILY_OF_WIDTH:
            family = _FAMILY_OF_WIDTH[measured.inputs]
            detail += f"; text width {measured.inputs} is that of {family}"
        raise LayerRefused("SHAPE_MISMATCH", detail)
    if measured.kernel != module.kernel:
        mine, theirs = ("x".join(map(str, k)) for k in (module.kernel, measured.kernel))
        raise LayerRefused("SHAPE_MISMATCH", f"{name} has a kernel of {theirs}, here {mine}")


def _axis(file: TensorFile, group: Mapping[str, str], *, name: str, module: ModuleShape) -> Axis:
    """Tell which side a magnitude scales: LyCORIS says it by its shape, PEFT always the outputs.

    A LyCORIS of version 4 writes [out, 1, …], an older one and OneTrainer [1, in, …].
    """
    if all(part in group for part in MAGNITUDES):
        raise LayerRefused("DUPLICATE_TARGET", f"{name} has two magnitudes")
    if "magnitude_vector" in group:
        key = group["magnitude_vector"]
        shape = file.tensors[key].shape
        if shape in ((module.outputs,), (module.outputs, 1), (1, module.outputs, 1, 1)):
            return "outputs"
    else:
        key = group["dora_scale"]
        shape = file.tensors[key].shape
        if len(shape) in (2, 4) and math.prod(shape[2:]) == 1:
            if shape[:2] == (module.outputs, 1):
                return "outputs"
            if shape[:2] == (1, module.inputs):
                return "inputs"
    raise LayerRefused("SHAPE_MISMATCH", f"{key} has the shape {list(shape)}")


def _scale(
    file: TensorFile,
    name: str,
    group: Mapping[str, str],
    *,
    alpha: Alpha | None,
    rank: int | None,
    context: Context,
) -> float:
    if "alpha" in group:
        if math.prod(file.tensors[group["alpha"]].shape) != 1:
            raise LayerRefused("BAD_ALPHA", f"{group['alpha']} is not one number")
        alpha = Alpha(value=float(file.read(group["alpha"]).reshape(-1)[0]))
    if alpha is None:
        raise LayerRefused("ALPHA_UNKNOWN", f"nothing in the file says the alpha of {name}")
    scale = alpha.scale(rank=rank)
    if not math.isfinite(scale) or not 0 < abs(scale) <= context.limits.scale_abs_max:
        raise LayerRefused(
            "BAD_ALPHA", f"alpha {alpha.value} of {name} (rank {rank}) is impossible"
        )
    return scale
