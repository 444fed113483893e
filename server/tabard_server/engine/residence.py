# SPDX-License-Identifier: Apache-2.0
"""A base takes residence: its models go to their device, and its layers get slots.

In: a base in float32 on the CPU. Out: the same models where they stay, and the table of what lies
in their slots. Knows nothing of rows.
"""

from collections.abc import Mapping

import torch

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.slots.packed_weights import PackedWeights
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.weights.blocks import Blocks


def move_to_device(base: Base, *, device: torch.device, dtype: torch.dtype) -> None:
    """Move all that adapters may change; the VAE moves by itself."""
    for component in base.adaptable:
        # diffusers' own `to` warns about modules that other models keep in float32.
        torch.nn.Module.to(base.models[component], device=device, dtype=dtype)
    if base.network.is_convolutional:
        # Convolutions and their 1x1 neighbours read pixels without turning them around.
        base.network.module.to(memory_format=torch.channels_last)


def give_slots(
    base: Base,
    *,
    bindings: Mapping[str, Binding],
    blocks: Blocks,
    packed: PackedWeights | None,
    rank_rows: int,
    has_tables: bool,
) -> SlotTable:
    """Give slots to every layer that can have them.

    Args:
        base: On its device.
        bindings: What layers wear, by component.
        blocks: Those of the network.
        packed: Keeps weights of the network as a CPU reads them best; None: nothing is packed.
        rank_rows: Rows of every table.
        has_tables: Whether all have tables from the beginning.
    """
    drawing = base.network.component
    layers = {
        (component, name): add_slots(
            module,
            binding=binding,
            rank_rows=rank_rows,
            block=blocks.index_of(name) if component == drawing else 0,
            packed=packed if component == drawing else None,
            has_tables=has_tables,
        )
        for component, binding in bindings.items()
        for name, module in named_layers(base, component)
        if is_slottable(module)
    }
    return SlotTable(layers, rank_rows=rank_rows)
