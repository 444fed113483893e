# SPDX-License-Identifier: Apache-2.0
"""Files that LyCORIS saved give, through intake and slots, what its own forward gave."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tabard_registry import BaseProfile, ModuleShape, sha256_bytes
from tests.golden import GOLDEN
from tests.server.adapters.packing import pack_file
from tests.server.engine.slots.one_layer import WornLayer

CASES = load_file(str(GOLDEN / "lycoris.safetensors"))
NAMES = sorted({key.split("/")[0] for key in CASES})


def case_of(name: str, part: str) -> dict[str, torch.Tensor]:
    """Tensors of one case whose names begin like this, without it."""
    prefix = f"{name}/{part}"
    return {k.removeprefix(prefix): v for k, v in CASES.items() if k.startswith(prefix)}


@pytest.mark.parametrize("name", NAMES)
def test_file_of_lycoris_is_worn_exactly(name: str, tmp_path: Path) -> None:
    """Every method and axis: accepted whole, and equal to 1e-9 in float64."""
    base = case_of(name, "base.")
    outputs, inputs, *kernel = base["weight"].shape
    layer: nn.Module = nn.Linear(inputs, outputs)
    shape = ModuleShape(kind="linear", inputs=inputs, outputs=outputs)
    if kernel:
        layer = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        shape = ModuleShape(kind="conv2d", inputs=inputs, outputs=outputs, kernel=(3, 3))
    layer.load_state_dict(base)
    profile = BaseProfile(
        family="sd1",
        fingerprints={"unet": str(sha256_bytes(b"unet"))},
        modules={"unet": {"layer": shape}},
        token_widths={},
    )
    saved = {f"lora_unet_layer.{key}": value for key, value in case_of(name, "saved.").items()}
    file = tmp_path / "x.safetensors"
    save_file(saved, str(file))

    adapter = pack_file(file, profile=profile, folder=tmp_path, dtype=torch.float64)
    found = WornLayer(layer.double()).run(CASES[f"{name}/x"], stacks=[[(adapter, 1.0)]])

    torch.testing.assert_close(found, CASES[f"{name}/y"], rtol=1e-9, atol=1e-9)
    assert (found - layer(CASES[f"{name}/x"])).abs().max() > 0.01
