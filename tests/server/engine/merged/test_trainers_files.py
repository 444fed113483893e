# SPDX-License-Identifier: Apache-2.0
"""Files of OneTrainer and of kohya's OFT give through intake and merging what they gave there."""

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

CASES = load_file(str(GOLDEN / "trainers.safetensors"))
NAMES = sorted({"/".join(key.split("/")[:2]) for key in CASES if key.count("/") == 2})
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(8, 16),
    "conv": lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1),
    "point": lambda: nn.Conv2d(8, 16, 1),
}
STEMS = {"kohya": "oft_unet_layer", "onetrainer": "lora_unet_layer"}


def tensors_of(prefix: str) -> dict[str, torch.Tensor]:
    """Tensors of the file whose names begin like this, without it."""
    return {k.removeprefix(prefix): v for k, v in CASES.items() if k.startswith(prefix)}


@pytest.mark.parametrize("rank_max", [1, 64])
@pytest.mark.parametrize("name", NAMES)
def test_file_of_trainer_is_merged_exactly(name: str, rank_max: int, tmp_path: Path) -> None:
    """Every method on every kind of layer, as a pair where there is one and as it is written."""
    kind, method = name.split("/")
    layer = LAYERS[kind]()
    layer.load_state_dict(tensors_of(f"{kind}/base."))
    stem = STEMS[method.split()[0]]
    saved = tensors_of(f"{name}/saved.")
    file = tmp_path / "x.safetensors"
    save_file({f"{stem}.{key}": value for key, value in saved.items()}, str(file))

    adapter = pack_file(
        file,
        profile=profile_of_layer(layer),
        folder=tmp_path,
        dtype=torch.float64,
        limits=IntakeLimits(rank_max=rank_max),
    )
    found = run_merged(layer.double(), CASES[f"{kind}/x"], stack=[(adapter, 1.0)])

    torch.testing.assert_close(found, CASES[f"{name}/y"], rtol=1e-6, atol=1e-6)
    bare = layer(CASES[f"{kind}/x"])
    assert (found - bare).abs().max() > 1e-4 or method == "kohya oft of alpha 0"
