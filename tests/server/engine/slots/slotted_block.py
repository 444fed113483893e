# SPDX-License-Identifier: Apache-2.0
"""Two layers with slots, one after the other, and random adapters of them."""

from collections.abc import Sequence

import torch
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.slots.slotted_layers import SlottedLayer, add_slots
from tabard_server.engine.slots.worn_rows import Binding

RANK_ROWS = 41


class Block(nn.Module):
    """A convolution and a linear layer, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.linear = nn.Linear(6, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `[batch, pixels, 8]`."""
        return self.linear(self.conv(x).flatten(2).transpose(1, 2))  # type: ignore[no-any-return]


def slotted(
    block: Block, binding: Binding, *, has_tables: bool = False
) -> dict[tuple[str, str], SlottedLayer]:
    """Give both layers slots."""
    return {
        ("unet", name): add_slots(
            getattr(block, name), binding=binding, rank_rows=RANK_ROWS, has_tables=has_tables
        )
        for name in ("conv", "linear")
    }


def adapter_for(
    block: Block,
    *,
    name: str,
    rank: int,
    axis: str,
    parts: Sequence[str] = ("conv", "linear"),
) -> HostAdapter:
    """Random factors on these layers."""
    layers = {}
    for part in parts:
        weight = getattr(block, part).weight
        width = {"outputs": weight.shape[0], "inputs": weight.shape[1]}.get(axis)
        layers["unet", part] = PackedLayer(
            down=torch.randn(rank, weight[0].numel()),
            up=torch.randn(rank, weight.shape[0]),
            magnitude=None if width is None else 1 + torch.rand(width),
            magnitude_axis=axis,
        )
    return lay_out(layers, digest=name)
