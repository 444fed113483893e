# SPDX-License-Identifier: Apache-2.0
"""Pairs the factors of a LoRA, whoever named them; checks shapes, ranks, alpha and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from livery_registry.intake.dialect import Context, Reading
from livery_registry.intake.header import TensorFile
from livery_registry.profile import ModuleShape
from livery_registry.report import CheckedLayer, Problem

Part = Literal["down", "up", "alpha"]
"""What a tensor is to its layer."""

_FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
_TELLING = "text width"
_REMEDIES = {
    "UNKNOWN_KEYS": "Check which base it was trained for; no layer of this base has the name.",
    "DUPLICATE_TARGET": "Remove one of the two: a layer can be changed once by a file.",
    "INCOMPLETE_PAIR": "Export the file again: a layer needs a down and an up factor that fit.",
    "UNSUPPORTED_DTYPE": "Export the file in float16, bfloat16 or float32.",
    "UNSUPPORTED_DIALECT": "Train or export it for linear layers and 1x1 convolutions only.",
    "SHAPE_MISMATCH": "Serve it on the base that it was trained on.",
    "RANK_TOO_LARGE": "Resize the LoRA to a lower rank, or raise the limit on the server.",
    "NOT_FINITE": "The training diverged: publish an earlier checkpoint.",
    "BAD_ALPHA": "Export the file again with the alpha that it was trained with.",
    "ALPHA_UNKNOWN": "Send adapter_config.json along, or export the file with diffusers or kohya.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which tensor of which layer a key names."""

    component: str
    module: str
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """alpha of a layer.

    Attributes:
        value: The number.
        is_rslora: Whether the scale is alpha / sqrt(rank) instead of alpha / rank.
    """

    value: float
    is_rslora: bool = False

    def scale(self, *, rank: int) -> float:
        """Return what the product of the factors is multiplied with."""
        return self.value / (math.sqrt(rank) if self.is_rslora else rank)


AlphaRule = Callable[[str, str, int], Alpha | None]
"""From component, module and rank to alpha; None when it cannot be known."""


class _Refused(Exception):
    """A layer is refused: (reason, detail)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """Refusals by reason, in the order found."""

    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note(self, reason: str, *, detail: str, key: str) -> None:
        self.found.setdefault(reason, []).append((detail, key))

    def problems(self) -> tuple[Problem, ...]:
        """The wrong base explains most other refusals, so it comes first."""
        ordered = sorted(self.found, key=lambda reason: reason != "SHAPE_MISMATCH")
        return tuple(_problem(reason, self.found[reason]) for reason in ordered)


def pair_up(
    file: TensorFile,
    *,
    places: Mapping[str, Place | None],
    alpha_rule: AlphaRule,
    context: Context,
) -> Reading:
    """Make layers of keys.

    Args:
        file: The file.
        places: Every key of the file, with its place, or None when it fits no module.
        alpha_rule: alpha of a layer without an alpha tensor.
        context: The base and the bounds.
    """
    ledger = _Ledger()
    groups: dict[tuple[str, str], dict[Part, str]] = {}
    for key, place in places.items():
        if place is None:
            ledger.note(_reason_of_unknown(file, key), detail=key, key=key)
            continue
        group = groups.setdefault((place.component, place.module), {})
        if place.part in group:
            ledger.note("DUPLICATE_TARGET", detail=f"{group[place.part]} and {key}", key=key)
        else:
            group[place.part] = key
    layers: list[CheckedLayer] = []
    applied: set[str] = set()
    for (component, module), group in sorted(groups.items()):
        try:
            layer = _layer(file, component, module, group, alpha_rule=alpha_rule, context=context)
        except _Refused as refused:
            ledger.note(refused.reason, detail=refused.detail, key=next(iter(group.values())))
            continue
        layers.append(layer)
        applied.update(group.values())
    return Reading(layers=tuple(layers), applied=frozenset(applied), problems=ledger.problems())


def _layer(
    file: TensorFile,
    component: str,
    module: str,
    group: Mapping[Part, str],
    *,
    alpha_rule: AlphaRule,
    context: Context,
) -> CheckedLayer:
    missing = [part for part in ("down", "up") if part not in group]
    if missing:
        raise _Refused("INCOMPLETE_PAIR", f"{module} has no {' and no '.join(missing)} factor")
    down_key, up_key = group["down"], group["up"]
    for key in group.values():
        entry = file.tensors[key]
        if not entry.is_float and not (key == group.get("alpha") and entry.dtype in ("I32", "I64")):
            raise _Refused("UNSUPPORTED_DTYPE", f"{key} is {entry.dtype}")
    shape = context.profile.modules[component][module]
    rank = _rank(file, down_key, up_key, module=module, shape=shape)
    if rank > context.limits.rank_max:
        limit = context.limits.rank_max
        raise _Refused("RANK_TOO_LARGE", f"{module} has rank {rank}; at most {limit} is taken")
    for key in (down_key, up_key):
        if not file.is_finite(key):
            raise _Refused("NOT_FINITE", f"{key} holds NaN or infinity")
    scale = _scale(file, component, module, group, rank=rank, rule=alpha_rule, context=context)
    return CheckedLayer(
        component=component,
        module=module,
        rank=rank,
        scale=scale,
        source=file,
        down_key=down_key,
        up_key=up_key,
    )


def _rank(file: TensorFile, down_key: str, up_key: str, *, module: str, shape: ModuleShape) -> int:
    down, up = file.tensors[down_key].shape, file.tensors[up_key].shape
    if not shape.is_pointwise or _is_spatial(down) or _is_spatial(up):
        raise _Refused("UNSUPPORTED_DIALECT", f"{module} is a convolution larger than 1x1 (LoCon)")
    if len(down) not in (2, 4) or len(up) not in (2, 4):
        raise _Refused("INCOMPLETE_PAIR", f"{module}: down {list(down)} and up {list(up)}")
    if (down[1], up[0]) != (shape.inputs, shape.outputs):
        detail = (
            f"{module} maps {down[1]} to {up[0]}, in this base {shape.inputs} to {shape.outputs}"
        )
        if "attn2.to_k" in module and down[1] in _FAMILY_OF_WIDTH:
            detail += f"; {_TELLING} {down[1]} is that of {_FAMILY_OF_WIDTH[down[1]]}"
        raise _Refused("SHAPE_MISMATCH", detail)
    if down[0] != up[1]:
        raise _Refused("INCOMPLETE_PAIR", f"{module}: factors of ranks {down[0]} and {up[1]}")
    return down[0]


def _scale(
    file: TensorFile,
    component: str,
    module: str,
    group: Mapping[Part, str],
    *,
    rank: int,
    rule: AlphaRule,
    context: Context,
) -> float:
    alpha = rule(component, module, rank)
    if "alpha" in group:
        if math.prod(file.tensors[group["alpha"]].shape) != 1:
            raise _Refused("BAD_ALPHA", f"{group['alpha']} is not one number")
        alpha = Alpha(value=float(file.read(group["alpha"]).reshape(-1)[0]))
    if alpha is None:
        raise _Refused("ALPHA_UNKNOWN", f"nothing in the file says the alpha of {module}")
    scale = alpha.scale(rank=rank)
    if not math.isfinite(scale) or not 0 < abs(scale) <= context.limits.scale_abs_max:
        raise _Refused("BAD_ALPHA", f"alpha {alpha.value} of {module} (rank {rank}) is impossible")
    return scale


def _is_spatial(shape: tuple[int, ...]) -> bool:
    return len(shape) > 2 and max(shape[2:]) > 1


def _reason_of_unknown(file: TensorFile, key: str) -> str:
    return "UNSUPPORTED_DIALECT" if _is_spatial(file.tensors[key].shape) else "UNKNOWN_KEYS"


def _problem(reason: str, hits: list[tuple[str, str]]) -> Problem:
    hits = sorted(hits, key=lambda hit: _TELLING not in hit[0])
    first = "; ".join(detail for detail, _ in hits[:3])
    more = f"; and {len(hits) - 3} more" if len(hits) > 3 else ""
    leads = {
        "UNKNOWN_KEYS": f"{len(hits)} keys fit no module of this base: ",
        "SHAPE_MISMATCH": "this file is for another base or family: ",
        "UNSUPPORTED_DIALECT": "convolutions larger than 1x1 (LoCon) are not taken: ",
        "DUPLICATE_TARGET": "one layer under two names: ",
    }
    return Problem(
        reason=reason,
        message=leads.get(reason, "") + first + more,
        remedy=_REMEDIES[reason],
        keys=tuple(key for _, key in hits),
    )
