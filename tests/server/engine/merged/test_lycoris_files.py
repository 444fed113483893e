# SPDX-License-Identifier: Apache-2.0
"""Files that LyCORIS saved, of any of its methods, give through intake and merging what it gave."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tabard_registry import IntakeLimits
from tests.golden import GOLDEN
from tests.server.adapters.packing import pack_file
from tests.server.engine.merged.one_layer_base import profile_of_layer, run_merged

CASES = load_file(str(GOLDEN / "lycoris_changes.safetensors"))
NAMES = sorted({"/".join(key.split("/")[:2]) for key in CASES if key.count("/") == 2})
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(8, 16),
    "conv": lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1),
    "layer norm": lambda: nn.LayerNorm(8),
    "group norm": lambda: nn.GroupNorm(2, 8),
}
SMALL = ("lora", "loha", "lokr")


def tensors_of(prefix: str) -> dict[str, torch.Tensor]:
    """Tensors of the file whose names begin like this, without it."""
    return {k.removeprefix(prefix): v for k, v in CASES.items() if k.startswith(prefix)}


@pytest.mark.parametrize("weight", [1.0, 0.5, -0.7])
@pytest.mark.parametrize("name", NAMES)
def test_file_of_lycoris_is_merged_exactly(name: str, weight: float, tmp_path: Path) -> None:
    """Every method on every kind of layer: accepted whole, and equal to 1e-9 in float64."""
    kind, method = name.split("/")
    layer = LAYERS[kind]()
    layer.load_state_dict(tensors_of(f"{kind}/base."))
    saved = tensors_of(f"{name}/saved.")
    file = tmp_path / "x.safetensors"
    save_file({f"lora_unet_layer.{key}": value for key, value in saved.items()}, str(file))

    adapter = pack_file(
        file,
        profile=profile_of_layer(layer),
        folder=tmp_path,
        dtype=torch.float64,
        limits=IntakeLimits(rank_max=1),
    )
    found = run_merged(layer.double(), CASES[f"{kind}/x"], stack=[(adapter, weight)])

    is_low_rank = method.startswith(SMALL) and not adapter.changes
    assert adapter.is_merged_only or (is_low_rank and adapter.rank == 1)
    torch.testing.assert_close(found, CASES[f"{name}/y{weight}"], rtol=1e-9, atol=1e-9)
