# SPDX-License-Identifier: Apache-2.0
"""Random adapters of one component, and a merged copy to wear them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tabard_server.adapters.host_adapter import (
    HostAdapter,
    HostChange,
    PackedLayer,
    lay_out,
)
from tabard_server.engine.merged.merged_copy import MergedWeights

CPU = torch.device("cpu")


def copy_of(model: nn.Module, *, bytes_max: int | None = None) -> MergedWeights:
    """A copy of the only component."""
    return MergedWeights({"unet": model}, device=CPU, bytes_max=bytes_max)


def pair(weight: torch.Tensor, *, axis: str = "", rank: int = 2) -> PackedLayer:
    """Random factors, and a magnitude if an axis is named."""
    width = {"outputs": weight.shape[0], "inputs": weight.shape[1]}.get(axis)
    return PackedLayer(
        down=torch.randn(rank, weight[0].numel(), dtype=torch.float64),
        up=torch.randn(rank, weight.shape[0], dtype=torch.float64),
        magnitude=None if width is None else 1 + torch.rand(width, dtype=torch.float64),
        magnitude_axis=axis,
    )


def dense(parameter: str, like: torch.Tensor, *, value: float | None = None) -> HostChange:
    """A random difference, or a constant one."""
    diff = torch.randn(like.shape) if value is None else torch.full(like.shape, value)
    return HostChange(
        component="unet",
        parameter=parameter,
        method="dense",
        scale=0.5,
        options={},
        parts={"diff": diff},
    )


def adapter(
    name: str,
    layers: dict[str, PackedLayer] | None = None,
    changes: Sequence[HostChange] = (),
    *,
    dtype: torch.dtype = torch.float64,
) -> HostAdapter:
    """An adapter of these layers and changes."""
    keyed = {("unet", key): value for key, value in (layers or {}).items()}
    return lay_out(keyed, digest=name, changes=tuple(changes), dtype=dtype)


def change_of(
    method: str, parts: Mapping[str, torch.Tensor], *, parameter: str = "weight", **more: Any
) -> HostChange:
    """A change of one layer."""
    return HostChange(
        component="unet",
        parameter=f"layer.{parameter}",
        method=method,
        scale=more.pop("scale", 1.0),
        options=more,
        parts=parts,
    )


class Model(nn.Module):
    """A convolution under two names, a norm, and two linear layers that share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1)
        self.same = self.conv
        self.norm = nn.GroupNorm(2, 6)
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.conv(x)).flatten(2).transpose(1, 2)
        return self.second(self.first(hidden).sin())  # type: ignore[no-any-return]


def worn_state(model: nn.Module, merged: MergedWeights) -> dict[str, torch.Tensor]:
    """Copies of all parameters while the copy is worn."""
    with merged.wearing("unet"):
        return {name: value.clone() for name, value in model.state_dict().items()}
