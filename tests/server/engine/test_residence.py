# SPDX-License-Identifier: Apache-2.0
"""A base where it stays: moved, and with slots in its layers."""

from pathlib import Path

import pytest
import torch

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import named_layers
from tabard_server.engine.residence import give_slots, move_to_device
from tabard_server.engine.slots.slotted_layers import SlottedLayer, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.weights.blocks import Blocks


@pytest.mark.parametrize("family", ["sd1"])
def test_everything_adaptable_moves(bases: dict[str, Path], family: str) -> None:
    """Network and text encoders take the dtype; the VAE moves by itself."""
    base = load_base(str(bases[family]))

    move_to_device(base, device=torch.device("cpu"), dtype=torch.float64)

    moved = {name: next(model.parameters()).dtype for name, model in base.models.items()}
    assert moved == {
        "unet": torch.float64,
        "text_encoder": torch.float64,
        "vae": torch.float32,
    }
    weight = base.network.module.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


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

    give_slots(base, bindings=bindings, blocks=blocks, packed=None, rank_rows=8, has_tables=False)

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
