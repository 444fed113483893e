# SPDX-License-Identifier: Apache-2.0
"""The model that is compiled is the engine's own in everything but its values."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.engine.compiled import build
from tabard_server.engine.compiled.library import tensors_of
from tabard_server.engine.compiled.order import BaseOrder, Order
from tabard_server.engine.engine import Engine
from tabard_server.engine.slots.slotted_layers import make_tables
from tabard_server.engine.slots.worn_rows import Binding
from tests.server.engine.compiled.conftest import shape


def test_model_is_the_engines(engine: Engine) -> None:
    """The same tensors by name, of the same sizes, strides and dtypes."""
    for layer in engine.slots._layers.values():
        make_tables(layer)
    unet: Any = engine._base.network.module
    order = BaseOrder(config=unet.config, dtype="float64", rank_rows=len(unet.conv_in.slot_down))

    made = build._new_unet(
        Order(base=order, shape=shape(), threads=1, target=Path("one.so")), binding=Binding()
    )

    expected = {name: build._describe(one) for name, one in tensors_of(unet).items()}
    assert {name: build._describe(one) for name, one in tensors_of(made).items()} == expected


@pytest.mark.parametrize("is_worn", [True, False])
def test_library_asks_for_every_tensor(is_worn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not has a value of its own, and is none; tables are for passes that wear."""

    class _Runner:
        def __init__(self, path: str, _models: int) -> None:
            self._asked = path.split(",")

        def get_constant_names_to_original_fqns(self) -> dict[str, str]:
            return {str(number): name for number, name in enumerate(self._asked)}

    monkeypatch.setattr(torch._C._aoti, "AOTIModelContainerRunnerCpu", _Runner)
    names = ["unet.weight", "unet.bias", *(["unet.slot_up"] if is_worn else [])]
    tensors = {name: torch.zeros(1) for name in ("unet.weight", "unet.bias", "unet.slot_up")}

    build._require_whole(Path(",".join(names)), tensors=tensors, is_worn=is_worn)
    with pytest.raises(SystemExit, match=r"unet\.bias"):
        build._require_whole(Path("unet.weight"), tensors=tensors, is_worn=is_worn)
