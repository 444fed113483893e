# SPDX-License-Identifier: Apache-2.0
"""The layers of a base get slots.

In: a base on its device. Out: the table of what lies in their slots. Knows nothing of rows.
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


def give_slots(
    base: Base,
    *,
    bindings: Mapping[str, Binding],
    blocks: Blocks,
    packed: PackedWeights | None,
    rank_rows: int,
    has_tables: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> SlotTable:
    """Give slots to every layer that can have them.

    Args:
        base: On its device.
        bindings: What layers wear, by component.
        blocks: Those of the network.
        packed: Keeps weights of the network as a CPU reads them best; None: nothing is packed.
        rank_rows: Rows of every table.
        has_tables: Whether all have tables from the beginning.
        device: Where tables lie.
        dtype: Of the network's tables; those of text encoders have their weights'.
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
            dtype=dtype if component == drawing else None,
            device=device,
        )
        for component, binding in bindings.items()
        for name, module in named_layers(base, component)
        if is_slottable(module)
    }
    return SlotTable(layers, rank_rows=rank_rows)
