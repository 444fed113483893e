# SPDX-License-Identifier: Apache-2.0
"""A UNet as OpenVINO is shown it: every tensor is an argument, and no size is fixed.

In: a UNet without weights. Out: a module whose arguments are those of a pass, then its tensors by
name. Linear layers and 1x1 convolutions wear adapters; larger kernels stay bare.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.slots.slotted_layers import has_kernel, is_slottable
from tabard_server.engine_port.weights.blocks import Blocks

INDEX, WEIGHT = "index", "weight"
"""Rank rows of each sample, `[samples, R]`, and their weights, `[blocks, samples, 1, R]`."""


class Worn:
    """What the samples of the pass that is traced wear: `INDEX`, and `WEIGHT` by block."""

    index: torch.Tensor
    weight: torch.Tensor


class TracedLinear(nn.Linear):
    """A linear layer whose samples each gather their own factors."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    traced_worn: Worn
    traced_block: int

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return `x W^T + b` plus each sample's delta, `[samples, …, out]`."""
        base = functional.linear(input, self.weight, self.bias)
        if input.dim() == 2:
            return base + _delta(self, input.unsqueeze(1)).squeeze(1)
        return base + _delta(self, input)


class TracedConv2d(nn.Conv2d):
    """A 1x1 convolution whose samples do likewise."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    traced_worn: Worn
    traced_block: int

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution plus each sample's delta, `[samples, out, h, w]`."""
        delta = _delta(self, input.permute(0, 2, 3, 1))
        return super().forward(input) + delta.permute(0, 3, 1, 2)


def wears_here(module: nn.Module) -> bool:
    """Say whether this layer wears adapters in the graph."""
    return is_slottable(module) and not has_kernel(module)


def blocks_of(unet: nn.Module) -> int:
    """Return how many blocks may have a weight of their own, what is in none of them included."""
    return len(Blocks(name for name, _ in unet.named_modules()).names) + 1


class TracedPass(nn.Module):
    """A UNet as a function of tensors alone."""

    def __init__(self, unet: nn.Module, *, names: Sequence[str], rank_rows: int) -> None:
        """Take a model, which is changed, the names of a pass's arguments, and rows of tables."""
        super().__init__()
        self._worn = Worn()
        blocks = Blocks(name for name, _ in unet.named_modules())
        for name, module in list(unet.named_modules()):
            if wears_here(module):
                _wear(module, self._worn, block=blocks.index_of(name), rank_rows=rank_rows)
        # Not a part of this module: what is one becomes a constant.
        self._unet: list[Any] = [unet]
        self._names = tuple(names)
        self.tensors = dict([*unet.named_parameters(), *unet.named_buffers()])

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return predictions, `[samples, channels, h, w]`."""
        given = dict(zip([*self._names, *self.tensors], inputs, strict=True))
        for name in self.tensors:
            path, _, last = name.rpartition(".")
            module: Any = self._unet[0].get_submodule(path)
            (module._parameters if last in module._parameters else module._buffers)[last] = given[
                name
            ]
        self._worn.index, self._worn.weight = given[INDEX], given[WEIGHT]
        added = {name: given[name] for name in ("text_embeds", "time_ids") if name in given}
        found: Any = self._unet[0](
            given["latents"],
            given["timesteps"],
            encoder_hidden_states=given["text"],
            added_cond_kwargs=added or None,
            return_dict=False,
        )
        prediction: torch.Tensor = found[0]
        return prediction


def _wear(module: nn.Module, worn: Worn, *, block: int, rank_rows: int) -> None:
    weight: Any = module.weight
    layer: Any = module
    module.__class__ = TracedLinear if isinstance(module, nn.Linear) else TracedConv2d
    for name, width in (("slot_down", weight[0].numel()), ("slot_up", len(weight))):
        module.register_buffer(name, weight.new_zeros(()).expand(rank_rows, width))
    layer.traced_worn, layer.traced_block = worn, block


def _delta(layer: TracedLinear | TracedConv2d, x: torch.Tensor) -> torch.Tensor:
    """Return `((x A^T) w) B` of each sample, `[samples, …, out]`."""
    worn = layer.traced_worn
    down = functional.embedding(worn.index, layer.slot_down).transpose(1, 2)
    up = functional.embedding(worn.index, layer.slot_up)
    weight = worn.weight[layer.traced_block]
    if x.dim() > 3:
        down, up, weight = down.unsqueeze(1), up.unsqueeze(1), weight.unsqueeze(1)
    return torch.matmul(torch.matmul(x, down) * weight, up)
