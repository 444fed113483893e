# SPDX-License-Identifier: Apache-2.0
"""Base layers that can wear another adapter in every row of a batch.

A layer keeps its base weight untouched and gains two tables of rank rows, `down [P, in]` and
`up [P, out]`. A `Binding`, shared by all layers of one component, says which rank rows each row
of the batch gathers, and with which weight. Row 0 of every table is zero and pads short rows.
Knows nothing of adapters, slots or samplers.
"""

from collections.abc import Set as AbstractSet

import torch
from torch import nn
from torch.nn import functional

EMPTY: frozenset[int] = frozenset()


class Binding:
    """Which rank rows each row of the next forward pass gathers.

    Attributes:
        index: Rank rows, shape `[rows, R]`, int64, on the device; None: bare base.
        weight: Their weights, shape `[rows, 1, R]`, model dtype.
        samples_per_row: Adjacent samples that share a row's adapters (2 with guidance).
        active: `id()`s of the layers that any adapter of the batch changes.
    """

    __slots__ = ("active", "index", "samples_per_row", "weight")

    def __init__(self) -> None:
        self.index: torch.Tensor | None = None
        self.weight: torch.Tensor | None = None
        self.samples_per_row = 1
        self.active: AbstractSet[int] = EMPTY

    def bind(
        self,
        *,
        index: torch.Tensor,
        weight: torch.Tensor,
        samples_per_row: int,
        active: AbstractSet[int],
    ) -> None:
        """Wear these rank rows in every forward pass until `clear`."""
        self.index, self.weight = index, weight
        self.samples_per_row, self.active = samples_per_row, active

    def clear(self) -> None:
        """Go back to the bare base."""
        self.index = self.weight = None
        self.active = EMPTY


class SlottedLinear(nn.Linear):
    """A linear layer whose rows may each wear their own low-rank delta."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return `x W^T + b` plus each row's delta; shape `[batch, …, in] -> [batch, …, out]`."""
        output = functional.linear(input, self.weight, self.bias)
        if id(self) not in self.slot_binding.active:
            return output
        return _add_delta(self, input, output)


class SlottedPointwiseConv(nn.Conv2d):
    """A 1x1 convolution whose rows may each wear their own low-rank delta."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution plus each row's delta; `[batch, in, h, w]` to `[…, out, h, w]`."""
        output = super().forward(input)
        if id(self) not in self.slot_binding.active:
            return output
        batch, channels, height, width = output.shape
        flat = input.flatten(2).transpose(1, 2)
        pixels = output.flatten(2).transpose(1, 2)
        changed = _add_delta(self, flat, pixels)
        return changed.transpose(1, 2).reshape(batch, channels, height, width)


SlottedLayer = SlottedLinear | SlottedPointwiseConv


def is_slottable(module: nn.Module) -> bool:
    """Say whether this layer can be given slots: linear, or a plain 1x1 convolution."""
    if isinstance(module, nn.Linear):
        return True
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride == (1, 1)
        and module.groups == 1
    )


def add_slots(module: nn.Module, *, binding: Binding, rank_rows: int) -> SlottedLayer:
    """Turn a base layer into a slotted one, in place, without touching its weights.

    The tables are non-persistent buffers: `state_dict` keys stay as they were.

    Args:
        module: A layer for which `is_slottable` holds.
        binding: The binding of the layer's component.
        rank_rows: Rows of the tables, the zero row included.
    """
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    outputs, inputs = int(weight.shape[0]), int(weight.shape[1])
    module.__class__ = SlottedLinear if isinstance(module, nn.Linear) else SlottedPointwiseConv
    assert isinstance(module, SlottedLinear | SlottedPointwiseConv)
    module.register_buffer("slot_down", weight.new_zeros(rank_rows, inputs), persistent=False)
    module.register_buffer("slot_up", weight.new_zeros(rank_rows, outputs), persistent=False)
    module.slot_binding = binding
    return module


def _add_delta(layer: SlottedLayer, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Gather each row's rank rows and add `((x @ down^T) * weight) @ up`."""
    binding = layer.slot_binding
    assert binding.index is not None and binding.weight is not None
    rows, ranks = binding.index.shape
    flat_index = binding.index.reshape(-1)
    down = layer.slot_down.index_select(0, flat_index).view(rows, ranks, -1)
    up = layer.slot_up.index_select(0, flat_index).view(rows, ranks, -1)
    x_rows = x.reshape(rows, -1, x.shape[-1])
    out_rows = output.reshape(rows, -1, output.shape[-1])
    hidden = torch.bmm(x_rows, down.transpose(1, 2)) * binding.weight
    return torch.baddbmm(out_rows, hidden, up).view(output.shape)
