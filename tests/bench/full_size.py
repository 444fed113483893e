# SPDX-License-Identifier: Apache-2.0
"""Models of the sizes that people have, with random weights, and a trainer's file for them.

In: a device and a dtype. Out: the UNet, its profile and slots, and an adapter of 192 layers as
kohya's trainer writes it. Nobody downloads anything.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn

from tabard_registry import BaseProfile, ModuleShape
from tabard_registry.refs.digest import sha256_bytes
from tabard_server.engine.slots.packed_weights import PackedWeights
from tabard_server.engine.slots.slot_table import SlotTable, table_rows
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.weights.blocks import Blocks

RANK = 16
LAYERS = 192
POOLED_WIDTH = 1280
"""Of what SDXL's UNet is told of the whole text."""
COMPONENT = "unet"

_NOISE_SIZE = 1 << 20

SD15: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
HALF_SD15: dict[str, Any] = {
    **SD15,
    "block_out_channels": (160, 320, 640, 640),
    "cross_attention_dim": 384,
}
"""Its topology at a quarter of the weights, 215 M: what a CPU can be asked often enough."""
SDXL: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
"""The one that all families of UNets have."""
_ENDS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


def new_unet(
    *, dtype: torch.dtype, device: torch.device, config: dict[str, Any] = SD15
) -> UNet2DConditionModel:
    """Make a UNet of that size; its weights are noise, drawn where they shall lie."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    # diffusers' own `to` warns about modules that other models keep in float32.
    nn.Module.to(unet, dtype=dtype)
    nn.Module.to_empty(unet, device=device)
    noise = torch.randn(_NOISE_SIZE, generator=torch.Generator().manual_seed(0)) * 0.02
    noise = noise.to(device, dtype)
    for parameter in unet.eval().requires_grad_(False).parameters():
        for part in parameter.flatten().split(_NOISE_SIZE):
            part.copy_(noise[: part.numel()])
    return unet


def twin_of(unet: UNet2DConditionModel, *, config: dict[str, Any] = SD15) -> UNet2DConditionModel:
    """Make another model around the same weights."""
    with torch.device("meta"):
        twin = UNet2DConditionModel(**config)
    twin.load_state_dict(unet.state_dict(), assign=True)
    return twin.eval().requires_grad_(False)


def profile_of(unet: UNet2DConditionModel) -> BaseProfile:
    """Return what the registry must know of it."""
    shapes = {
        name: _shape(module)
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    return BaseProfile(
        family="sd1",
        fingerprints={COMPONENT: str(sha256_bytes(b"noise"))},
        modules={COMPONENT: shapes},
        token_widths={},
    )


def slots_of(
    unet: nn.Module, *, rank_total: int, packed: PackedWeights | None = None
) -> tuple[SlotTable, Binding]:
    """Give a UNet's layers slots; return them, and what binds rows to them."""
    binding, rank_rows = Binding(), table_rows(rank_total)
    modules = list(unet.named_modules())
    blocks = Blocks(name for name, _ in modules)
    layers = {
        (COMPONENT, name): add_slots(
            module,
            binding=binding,
            rank_rows=rank_rows,
            block=blocks.index_of(name),
            packed=packed,
        )
        for name, module in modules
        if is_slottable(module)
    }
    return SlotTable(layers, rank_rows=rank_rows), binding


def write_kohya(
    path: Path,
    *,
    profile: BaseProfile,
    rank: int = RANK,
    seed: int = 0,
    deviation: float = 0.01,
    with_magnitudes: bool = False,
) -> Path:
    """Write an adapter of the transformer layers in float16, as kohya's trainer would."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in adapted(profile):
        key = f"lora_unet_{name.replace('.', '_')}"
        ends = (1, 1) if shape.kind == "conv2d" else ()
        for part, sizes in (("down", (rank, shape.inputs)), ("up", (shape.outputs, rank))):
            noise = torch.randn(*sizes, *ends, generator=generator) * deviation
            tensors[f"{key}.lora_{part}.weight"] = noise.half()
        tensors[f"{key}.alpha"] = torch.tensor(rank / 2)
        if with_magnitudes:
            tensors[f"{key}.dora_scale"] = torch.ones(
                shape.outputs, *((1, *ends) if ends else (1,))
            )
    metadata = {"ss_network_dim": str(rank), "ss_network_module": "networks.lora"}
    save_file(tensors, path, metadata=metadata)
    return path


def adapted(profile: BaseProfile) -> Iterator[tuple[str, ModuleShape]]:
    """Return the layers that most trainers change: those of the transformer blocks."""
    for name, shape in profile.modules[COMPONENT].items():
        if "attentions" in name and name.endswith(_ENDS):
            yield name, shape


def _shape(module: nn.Linear | nn.Conv2d) -> ModuleShape:
    if isinstance(module, nn.Linear):
        return ModuleShape(kind="linear", inputs=module.in_features, outputs=module.out_features)
    height, width = module.kernel_size
    return ModuleShape(
        kind="conv2d",
        inputs=module.in_channels,
        outputs=module.out_channels,
        kernel=(int(height), int(width)),
    )
