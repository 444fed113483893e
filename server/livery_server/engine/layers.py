# SPDX-License-Identifier: Apache-2.0
"""Base layers that can wear another adapter in every row of a batch.

A layer keeps its base weight untouched and gains two tables of rank rows, `down [P, in * kernel]`
and `up [P, out]`. A `Binding`, shared by all layers of one component, says which rank rows each row
of the batch gathers, and with which weight. Row 0 of every table is zero and pads short rows.
Knows nothing of adapters, slots or samplers.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from livery_server.engine.magnitudes import excesses

EMPTY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Which magnitudes each row of the next forward pass wears.

    Attributes:
        index: Rank rows that hold them, `[rows * 3 * K]`, int64, on the device; row 0: none.
        weight: Weights of their adapters, `[rows, K, 1]`, in at least float32.
        share: One where a rank row is scaled by a magnitude and those after it, `[rows, R, K]`.
        outputs: `id()`s of the layers whose outputs any of them scales.
        inputs: `id()`s of the layers whose inputs any of them scales.
    """

    index: torch.Tensor
    weight: torch.Tensor
    share: torch.Tensor
    outputs: AbstractSet[int]
    inputs: AbstractSet[int]


class Binding:
    """Which rank rows each row of the next forward pass gathers.

    Attributes:
        index: Rank rows, shape `[rows, R]`, int64, on the device; None: bare base.
        weight: Their weights, shape `[rows, R, 1]`, model dtype.
        samples_per_row: Adjacent samples that share a row's adapters (2 with guidance).
        active: `id()`s of the layers that any adapter of the batch changes.
        scaling: Magnitudes; None when no row wears any.
    """

    __slots__ = ("active", "index", "samples_per_row", "scaling", "weight")

    def __init__(self) -> None:
        self.index: torch.Tensor | None = None
        self.weight: torch.Tensor | None = None
        self.samples_per_row = 1
        self.active: AbstractSet[int] = EMPTY
        self.scaling: Scaling | None = None

    def bind(
        self,
        *,
        index: torch.Tensor,
        weight: torch.Tensor,
        samples_per_row: int,
        active: AbstractSet[int],
        scaling: Scaling | None = None,
    ) -> None:
        """Wear these rank rows in every forward pass until `clear`."""
        self.index, self.weight = index, weight
        self.samples_per_row, self.active, self.scaling = samples_per_row, active, scaling

    def clear(self) -> None:
        """Go back to the bare base."""
        self.index = self.weight = self.scaling = None
        self.active = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What the rows of a batch wear in one layer.

    Attributes:
        down: `[rows, R, in * kernel]`.
        up: `[rows, R, out]`, weights and magnitudes folded in.
        inputs: How far beyond 1 each row scales its inputs, `[rows, in]`; None: not at all.
        outputs: How far beyond 1 each row scales its base outputs, `[rows, out]`; None: likewise.
    """

    down: torch.Tensor
    up: torch.Tensor
    inputs: torch.Tensor | None = None
    outputs: torch.Tensor | None = None

    @property
    def is_scaled(self) -> bool:
        """Say whether a magnitude changes the base product itself."""
        return self.inputs is not None or self.outputs is not None


class SlottedLinear(nn.Linear):
    """A linear layer whose rows may each wear their own low-rank delta and magnitude."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return `x W^T + b` plus each row's delta; shape `[batch, …, in] -> [batch, …, out]`."""
        if id(self) not in self.slot_binding.active:
            return functional.linear(input, self.weight, self.bias)
        worn = _gather(self)
        x = input.reshape(worn.down.shape[0], -1, input.shape[-1])
        if worn.is_scaled:
            base = _scaled(functional.linear(_scaled(x, worn.inputs), self.weight), worn.outputs)
            base = base if self.bias is None else base + self.bias
        else:
            base = functional.linear(x, self.weight, self.bias)
        hidden = torch.bmm(x, worn.down.transpose(1, 2))
        return torch.baddbmm(base, hidden, worn.up).view(*input.shape[:-1], -1)


class SlottedConv2d(nn.Conv2d):
    """A convolution whose rows may each wear their own low-rank delta and magnitude."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution plus each row's delta; `[batch, in, h, w]` to `[…, out, h', w']`.

        The up factor is a 1x1 convolution: one product per sample over all its pixels.
        """
        if id(self) not in self.slot_binding.active:
            return super().forward(input)
        worn = _gather(self)
        if worn.is_scaled:
            x = _scaled_channels(input, worn.inputs)
            output = _scaled_channels(self._conv_forward(x, self.weight, None), worn.outputs)
            output = output if self.bias is None else output + self.bias.view(-1, 1, 1)
        else:
            output = self._conv_forward(input, self.weight, self.bias)
        samples = input.shape[0] // worn.up.shape[0]
        up = worn.up.transpose(1, 2).repeat_interleave(samples, 0)
        hidden = self._down(input, worn.down)
        return torch.baddbmm(output.flatten(2), up, hidden).view(output.shape)

    def _down(self, input: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        """Apply each row's down factor: `[batch, in, h, w]` to `[batch, R, h' * w']`.

        A row is a group of one grouped convolution; without a kernel it is one product.
        """
        rows, ranks, _ = down.shape
        batch, channels, height, width = input.shape
        samples = batch // rows
        if self.kernel_size == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0):
            return torch.bmm(down.repeat_interleave(samples, 0), input.flatten(2))
        by_group = input.reshape(rows, samples, channels, height, width).transpose(0, 1)
        hidden = functional.conv2d(
            by_group.reshape(samples, rows * channels, height, width),
            down.view(rows * ranks, channels, *self.kernel_size),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=rows,
        )
        by_row = hidden.view(samples, rows, ranks, -1).transpose(0, 1)
        return by_row.reshape(batch, ranks, -1)


SlottedLayer = SlottedLinear | SlottedConv2d


def is_slottable(module: nn.Module) -> bool:
    """Say whether this layer can be given slots: linear, or an ungrouped convolution."""
    if isinstance(module, nn.Linear):
        return True
    return isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros"


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
    outputs, inputs = int(weight.shape[0]), weight[0].numel()
    module.__class__ = SlottedLinear if isinstance(module, nn.Linear) else SlottedConv2d
    assert isinstance(module, SlottedLinear | SlottedConv2d)
    module.register_buffer("slot_down", weight.new_zeros(rank_rows, inputs), persistent=False)
    module.register_buffer("slot_up", weight.new_zeros(rank_rows, outputs), persistent=False)
    module.slot_binding = binding
    return module


def _gather(layer: SlottedLayer) -> _Gathered:
    """Gather each row's rank rows, and fold weights and magnitudes into the small factors."""
    binding = layer.slot_binding
    assert binding.index is not None and binding.weight is not None
    down = _take(layer.slot_down, binding.index)
    up = _take(layer.slot_up, binding.index) * binding.weight
    scaling = binding.scaling
    inputs = outputs = None
    if scaling is not None and id(layer) in scaling.outputs:
        beyond = _excesses(layer.slot_up, scaling).to(up.dtype)
        up, outputs = torch.addcmul(up, up, torch.bmm(scaling.share, beyond)), beyond[:, 0]
    if scaling is not None and id(layer) in scaling.inputs:
        channels = layer.weight.shape[1]
        beyond = _excesses(layer.slot_down[:, :channels], scaling).to(down.dtype)
        area = down.shape[2] // channels
        by_column = torch.bmm(scaling.share, beyond).repeat_interleave(area, 2)
        down, inputs = torch.addcmul(down, down, by_column), beyond[:, 0]
    return _Gathered(down=down, up=up, inputs=inputs, outputs=outputs)


def _take(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return table.index_select(0, index.reshape(-1)).view(*index.shape, -1)


def _excesses(table: torch.Tensor, scaling: Scaling) -> torch.Tensor:
    rows = scaling.weight.shape[0]
    vectors = table.index_select(0, scaling.index).view(rows, -1, table.shape[1])
    return excesses(vectors, weight=scaling.weight)


def _scaled(x: torch.Tensor, beyond: torch.Tensor | None) -> torch.Tensor:
    return x if beyond is None else torch.addcmul(x, x, beyond.unsqueeze(1))


def _scaled_channels(x: torch.Tensor, beyond: torch.Tensor | None) -> torch.Tensor:
    if beyond is None:
        return x
    per_sample = beyond.repeat_interleave(x.shape[0] // beyond.shape[0], 0)
    return torch.addcmul(x, x, per_sample[:, :, None, None])
