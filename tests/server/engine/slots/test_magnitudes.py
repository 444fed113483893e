# SPDX-License-Identifier: Apache-2.0
"""Magnitudes as a slot stores them, and how far they scale, against the formulas themselves."""

import torch
from torch import nn

from tabard_server.adapters.host_adapter import PackedLayer, lay_out
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import Binding, add_slots


def test_small_scales_survive_float16() -> None:
    """Magnitudes are compared with the base's lengths before they are rounded."""
    torch.manual_seed(1)
    layer = nn.Linear(64, 48).half().requires_grad_(False)
    lengths = layer.weight.float().norm(dim=1)
    magnitude = lengths * (1 + torch.randn(48) * 1e-3)
    packed = PackedLayer(
        down=torch.randn(2, 64) * 1e-3,
        up=torch.randn(2, 48) * 1e-3,
        magnitude=magnitude,
        magnitude_axis="outputs",
    )
    key = ("unet", "linear")
    worn = add_slots(layer, binding=Binding(), rank_rows=9)
    table = SlotTable({key: worn}, rank_rows=9)

    (slot,) = table.acquire([lay_out({key: packed}, digest="a", dtype=torch.float16)])

    stored = worn.slot_up[slot.magnitudes[0]].float()
    torch.testing.assert_close(stored, magnitude / lengths - 1, rtol=2e-3, atol=2e-6)
