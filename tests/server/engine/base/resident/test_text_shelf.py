# SPDX-License-Identifier: Apache-2.0
"""Text encoders in host memory between uses; a device of another dtype stands for one."""

import pytest
import torch
from torch import nn

from tabard_server.engine.base.resident.text_shelf import TextShelf, new_shelf
from tabard_server.engine.slots.slotted_layers import add_slots
from tabard_server.engine.slots.worn_rows import Binding

HOST, DEVICE = torch.float32, torch.float64
"""There is no second memory here: what lies on the device is as wide as this."""


def _shelf() -> TextShelf:
    return TextShelf(put=lambda x: x.to(HOST), take=lambda x: x.to(DEVICE))


def _where(model: nn.Module) -> set[torch.dtype]:
    return {parameter.dtype for parameter in model.parameters()}


@pytest.mark.parametrize("is_inference", [False, True])
def test_model_is_there_while_used(is_inference: bool) -> None:
    """In a block its weights lie on the device, before and after it in host memory."""
    shelf, model = _shelf(), nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)).to(DEVICE)
    own = list(model.parameters())
    x = torch.randn(1, 2, dtype=DEVICE)

    shelf.put("text_encoder", model)

    assert _where(model) == {HOST}
    assert shelf.components == {"text_encoder": 4 * (6 + 3 + 3 + 3)}
    with torch.inference_mode(is_inference), shelf.taken("text_encoder"):
        assert _where(model) == {DEVICE} and model(x).dtype == DEVICE
    assert _where(model) == {HOST}
    assert all(one is two for one, two in zip(own, model.parameters(), strict=True))


def test_failure_inside_puts_it_back() -> None:
    """Whatever happens to the text, the device has its room again."""
    shelf, model = _shelf(), nn.Linear(2, 3).to(DEVICE)
    shelf.put("text_encoder", model)

    with pytest.raises(ValueError, match="text"), shelf.taken("text_encoder"):
        raise ValueError("text")

    assert _where(model) == {HOST}


def test_tables_of_slots_stay() -> None:
    """They are filled while nobody encodes."""
    shelf, layer = _shelf(), nn.Linear(2, 3).to(DEVICE)
    shelf.put("text_encoder", layer)
    slotted = add_slots(layer, binding=Binding(), rank_rows=2, has_tables=True, dtype=DEVICE)

    with shelf.taken("text_encoder"):
        assert slotted.slot_up.dtype == DEVICE

    assert (slotted.slot_up.dtype, slotted.weight.dtype) == (DEVICE, HOST)


def test_others_are_left_alone() -> None:
    """Where nothing was put, a block changes nothing."""
    shelf, model = new_shelf(torch.device("cpu")), nn.Linear(2, 3)

    with shelf.taken("text_encoder"):
        assert _where(model) == {HOST}
    assert shelf.components == {}
