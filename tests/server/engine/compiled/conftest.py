# SPDX-License-Identifier: Apache-2.0
"""Kinds of pass, and what stands in for the compiler."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from tabard_server.engine.compiled.build import build
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.order import BaseOrder, Order
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.costs import OPENVINO
from tabard_server.engine_port.weights.blocks import Blocks

TOKENS = 5
RANK_ROWS = 17
CONFIG = {"in_channels": 4, "cross_attention_dim": 8}


def shape(samples: int = 2) -> PassShape:
    """Return a bare kind of pass."""
    return PassShape(samples=samples, height=8, width=8, tokens=77)


def lay_down(order: Order, _scratch: Path) -> dict[str, float]:
    """Build what is a library by name only."""
    order.target.write_bytes(b"kernels of " + order.shape.name.encode())
    order.target.with_suffix(".json").write_text(json.dumps({"wants": {}}))
    return {"seconds": 1.0, "cpu_seconds": 2.0}


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def base_order() -> BaseOrder:
    return BaseOrder(config=CONFIG, dtype="float32", rank_rows=9)


@pytest.fixture
def folder(tmp_path: Path, base_order: BaseOrder) -> LibraryFolder:
    return LibraryFolder(tmp_path / "compiled", key=base_order.key, bytes_max=1 << 20)


@pytest.fixture
def unet() -> Any:
    return new_unet()


@pytest.fixture(scope="session")
def kept_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenVINO's graph of such a UNet, as it is built."""
    target = tmp_path_factory.mktemp("openvino") / "one.so"
    base = BaseOrder(
        config=dict(new_unet().config), dtype="float32", rank_rows=RANK_ROWS, compiler=OPENVINO
    )
    size = PassShape(samples=2, height=8, width=8, tokens=TOKENS)
    build(Order(base=base, shape=size, threads=1, target=target))
    return target


def new_unet() -> Any:
    """Return a UNet of a few layers, that has slots with something in them."""
    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    unet.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    unet.tests_binding = binding = Binding()
    modules = list(unet.named_modules())
    blocks = Blocks(name for name, _ in modules)
    for name, module in modules:
        if is_slottable(module):
            layer = add_slots(
                module,
                binding=binding,
                rank_rows=RANK_ROWS,
                block=blocks.index_of(name),
                has_tables=True,
            )
            layer.slot_down[1:].normal_(std=0.2)
            layer.slot_up[1:].normal_(std=0.2)
    return unet
