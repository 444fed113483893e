# SPDX-License-Identifier: Apache-2.0
"""Files of OneTrainer, kohya's OFT and ComfyUI's trainer give here what they gave there."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tabard_registry import IntakeLimits, ModuleShape
from tabard_server.engine.merged.merged_copy import MergedWeights
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
Tensors = dict[str, torch.Tensor]
Draw = Callable[..., torch.Tensor]
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


WEIGHT = (16, 8, 3, 3)
ALPHA, RANK = 0.5, 3


def _lora(found: Draw) -> tuple[Tensors, torch.Tensor]:
    """Two matrices whatever the layer is, as ComfyUI's trainer makes them."""
    up, down = found(16, RANK), found(RANK, 72)
    parts = {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(ALPHA)}
    return parts, ALPHA / RANK * (up.double() @ down.double())


def _lokr(found: Draw) -> tuple[Tensors, torch.Tensor]:
    """The left half takes a part of the kernel, as its older versions let it."""
    left, right = found(4, 6), found(4, 12)
    return {"lokr_w1": left, "lokr_w2": right}, torch.kron(left.double(), right.double())


def _oft(found: Draw, *, bound: float) -> tuple[Tensors, torch.Tensor]:
    """Turned outputs; the bound is of all blocks together."""
    blocks = found(4, 4, 4)
    skew = (blocks - blocks.mT).double()
    length = torch.linalg.vector_norm(skew) + 1e-8
    if 0 < bound < length:
        skew = skew * bound / length
    eye = torch.eye(4, dtype=torch.float64)
    turned = torch.block_diag(*((eye + skew) @ torch.linalg.inv(eye - skew)).mT)
    weight = _comfyui_layer().weight.detach().double().flatten(1)
    return {"oft_blocks": blocks, "alpha": torch.tensor(bound)}, turned @ weight - weight


COMFYUI: dict[str, Callable[[Draw], tuple[Tensors, torch.Tensor]]] = {
    "lora": _lora,
    "lokr": _lokr,
    "oft bounded": partial(_oft, bound=0.5),
    "oft within its bound": partial(_oft, bound=1000.0),
    "oft without a bound": partial(_oft, bound=0.0),
}


@pytest.mark.parametrize("rank_max", [1, 64])
@pytest.mark.parametrize("name", COMFYUI)
def test_file_of_comfyui_is_merged_exactly(name: str, rank_max: int, tmp_path: Path) -> None:
    """Its factors are matrices also where the layer is a convolution, kernel unrolled."""
    generator = torch.Generator().manual_seed(3)
    parts, change = COMFYUI[name](lambda *shape: torch.randn(shape, generator=generator))
    file = tmp_path / "x.safetensors"
    stem = "diffusion_model.input_blocks.0.0"
    save_file({f"{stem}.{key}": value for key, value in parts.items()}, str(file))
    model = nn.Sequential()
    model.add_module("conv_in", _comfyui_layer().double())
    shape = ModuleShape(kind="conv2d", inputs=8, outputs=16, kernel=(3, 3))
    profile = replace(profile_of_layer(nn.Linear(1, 1)), modules={"unet": {"conv_in": shape}})

    adapter = pack_file(
        file,
        profile=profile,
        folder=tmp_path,
        dtype=torch.float64,
        limits=IntakeLimits(rank_max=rank_max),
    )
    merged = MergedWeights({"unet": model}, device=torch.device("cpu"), bytes_max=None)
    merged.merge([(adapter, 1.0)])
    with merged.wearing("unet"):
        found = model.conv_in.weight.detach().clone()

    expected = _comfyui_layer().double().weight + change.view(WEIGHT)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-6, atol=1e-6)


def _comfyui_layer() -> nn.Conv2d:
    torch.manual_seed(5)
    return nn.Conv2d(8, 16, 3)
