# SPDX-License-Identifier: Apache-2.0
"""Slots in the layers of a base."""

from pathlib import Path

import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.residence import give_slots
from tabard_server.engine.slots.slotted_layers import SlottedLayer, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.weights.blocks import Blocks


def test_every_layer_gets_slots(bases: dict[str, Path]) -> None:
    """Those of the network know their blocks; those of text encoders have the first."""
    base = load_base(str(bases["sd1"]))
    bindings = {component: Binding() for component in base.adaptable}
    names = [name for name, _ in named_layers(base, "unet")]
    blocks = Blocks(names)
    wanted = sum(
        is_slottable(module)
        for component in base.adaptable
        for _, module in named_layers(base, component)
    )

    give_slots(
        base,
        bindings=bindings,
        blocks=blocks,
        packed=None,
        rank_rows=8,
        has_tables=False,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )

    found = [
        (component, name, module)
        for component in base.adaptable
        for name, module in named_layers(base, component)
        if isinstance(module, SlottedLayer)
    ]
    assert len(found) == wanted
    for component, name, module in found:
        assert module.slot_binding is bindings[component]
        assert module.slot_block == (blocks.index_of(name) if component == "unet" else 0)
