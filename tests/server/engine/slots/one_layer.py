# SPDX-License-Identifier: Apache-2.0
"""One layer in float64 that wears stacks, outside of any pipeline, and what it should give."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import add_slots
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.weights.strength import BlockWeights

KEY = ("unet", "layer")

Stack = Sequence[tuple[HostAdapter, float | BlockWeights]]


def adapter_of(packed: PackedLayer, *, digest: str) -> HostAdapter:
    """An adapter of this one layer, in float64."""
    return lay_out({KEY: packed}, digest=digest, dtype=torch.float64)


class WornLayer:
    """A base layer with slots."""

    def __init__(self, layer: nn.Module, *, rank_rows: int = 129) -> None:
        self.binding = Binding()
        self.layer = add_slots(copy.deepcopy(layer), binding=self.binding, rank_rows=rank_rows)
        self.slots = SlotTable({KEY: self.layer}, rank_rows=rank_rows)

    @torch.inference_mode()
    def run(self, x: torch.Tensor, *, stacks: Sequence[Stack]) -> torch.Tensor:
        """Run a batch of which each row, one or more adjacent samples, wears its stack."""
        held = [self.slots.acquire([adapter for adapter, _ in stack]) for stack in stacks]
        bind_rows(
            self.binding,
            stacks=[
                [
                    (slot, weight if isinstance(weight, tuple) else (weight,))
                    for slot, (_, weight) in zip(slots, stack, strict=True)
                ]
                for slots, stack in zip(held, stacks, strict=True)
            ],
            samples_per_row=len(x) // len(stacks),
            device=x.device,
            dtype=x.dtype,
        )
        try:
            return self.layer(x)  # type: ignore[no-any-return]
        finally:
            self.binding.clear()
            for slot in (slot for slots in held for slot in slots):
                self.slots.release(slot)


def delta_of(packed: PackedLayer, *, shape: Any) -> torch.Tensor:
    """The change of the weight, unscaled by any magnitude."""
    return (packed.up.double().T @ packed.down.double()).view(shape)


def merge(layer: Any, stack: Sequence[tuple[PackedLayer, float]]) -> nn.Module:
    """Merge a stack into a copy of the layer, one after the other, norms against the bare base."""
    merged = copy.deepcopy(layer)
    base = layer.weight.detach()
    for packed, weight in stack:
        delta = weight * delta_of(packed, shape=base.shape)
        new = merged.weight.detach() + delta
        if packed.magnitude is not None:
            axis = 0 if packed.magnitude_axis == "outputs" else 1
            others = [d for d in range(base.dim()) if d != axis]
            length = (base + delta).square().sum(others, keepdim=True).sqrt()
            shape = [-1 if d == axis else 1 for d in range(base.dim())]
            new = new * packed.magnitude.double().view(shape) / length
        merged.weight.data = new
    return merged
