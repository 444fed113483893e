# SPDX-License-Identifier: Apache-2.0
"""Adapter files for tiny transformers in trainers' own names, and what each adds to which weight.

The sums are made here from the factors that are written, row by row where a file has one layer
for several of diffusers': nothing of the intake takes part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Place = tuple[str, str]
"""Component and module, as diffusers has them."""

_JOINT = "joint_blocks_0_{side}_block_{part}"
_SD3: Mapping[str, Sequence[str]] = {
    _JOINT.format(side="x", part="attn_qkv"): ("attn.to_q", "attn.to_k", "attn.to_v"),
    _JOINT.format(side="x", part="attn2_qkv"): ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    _JOINT.format(side="context", part="attn_qkv"): (
        "attn.add_q_proj",
        "attn.add_k_proj",
        "attn.add_v_proj",
    ),
    _JOINT.format(side="x", part="attn_proj"): ("attn.to_out.0",),
    _JOINT.format(side="x", part="mlp_fc1"): ("ff.net.0.proj",),
    _JOINT.format(side="context", part="mlp_fc2"): ("ff_context.net.2",),
}
_DOUBLE: Mapping[str, Sequence[str]] = {
    "double_blocks_0_img_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "double_blocks_0_txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "double_blocks_0_img_attn_proj": ("attn.to_out.0",),
    "double_blocks_0_txt_mlp_0": ("ff_context.net.0.proj",),
}
_SINGLE: Mapping[str, Sequence[str]] = {
    "single_blocks_0_linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "single_blocks_0_linear2": ("proj_out",),
}
_CLIP = "encoder.layers.1.self_attn.q_proj"
_T5 = "encoder.block.1.layer.0.SelfAttention.v"


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A file, and what it adds at weight 1.

    Attributes:
        file: The file.
        added: Place to difference of its weight, float64.
        added_to_bias: Place to difference of its bias, float64.
        lengths: Place to the lengths that a DoRA gives the rows of what it changes, float64.
        taught: Component to the vectors that its word stands for, `[n, width]`.
    """

    file: Path
    added: Mapping[Place, torch.Tensor] = field(default_factory=dict)
    added_to_bias: Mapping[Place, torch.Tensor] = field(default_factory=dict)
    lengths: Mapping[Place, torch.Tensor] = field(default_factory=dict)
    taught: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def is_read_by_diffusers(self) -> bool:
        """Whether nothing is said of it here."""
        return not (self.added or self.added_to_bias or self.taught)


def fused_stems(family: str) -> dict[str, tuple[Place, ...]]:
    """Return kohya's names of layers, each with the modules whose rows it has, in order."""
    blocks = [("transformer_blocks.0.", _SD3 if family == "sd3" else _DOUBLE)]
    if family == "flux":
        blocks.append(("single_transformer_blocks.0.", _SINGLE))
    found = {
        f"lora_unet_{stem}": tuple(("transformer", f"{prefix}{name}") for name in names)
        for prefix, layers in blocks
        for stem, names in layers.items()
    }
    clip = _CLIP.replace(".", "_")
    t5_component = "text_encoder_3" if family == "sd3" else "text_encoder_2"
    found[f"lora_te1_text_model_{clip}"] = (("text_encoder", _CLIP),)
    if family == "sd3":
        found[f"lora_te2_text_model_{clip}"] = (("text_encoder_2", _CLIP),)
    found[f"lora_te3_{_T5.replace('.', '_')}"] = ((t5_component, _T5),)
    return found


def module_of(pipe: Any, place: Place) -> Any:
    """Return a module of a pipeline, wherever the library has put the level `text_model`."""
    component, name = place
    modules = dict(getattr(pipe, component).named_modules())
    return modules.get(name) or modules[f"text_model.{name}"]


def write_fused_lora(
    pipe: Any, file: Path, *, family: str, seed: int, rank: int = 3, alpha: float = 2.0
) -> Dense:
    """Write a LoRA of the transformer's fused layers and of every text encoder."""
    dice = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    added: dict[Place, torch.Tensor] = {}
    for stem, places in fused_stems(family).items():
        rows = [module_of(pipe, place).weight.shape[0] for place in places]
        inputs = module_of(pipe, places[0]).weight.shape[1]
        down = torch.randn(rank, inputs, generator=dice) * 0.3
        up = torch.randn(sum(rows), rank, generator=dice) * 0.3
        tensors |= {
            f"{stem}.lora_down.weight": down,
            f"{stem}.lora_up.weight": up,
            f"{stem}.alpha": torch.tensor(alpha),
        }
        whole = up.double() @ down.double() * alpha / rank
        added |= dict(zip(places, whole.split(rows), strict=True))
    save_file(tensors, str(file))
    return Dense(file=file, added=added)


def write_differences(pipe: Any, file: Path, *, family: str, seed: int) -> Dense:
    """Write whole differences of some layers: what is only worn merged."""
    dice = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    added: dict[Place, torch.Tensor] = {}
    for stem, places in list(fused_stems(family).items())[:4]:
        rows = [module_of(pipe, place).weight.shape[0] for place in places]
        inputs = module_of(pipe, places[0]).weight.shape[1]
        difference = torch.randn(sum(rows), inputs, generator=dice) * 0.05
        tensors[f"{stem}.diff"] = difference
        added |= dict(zip(places, difference.double().split(rows), strict=True))
    save_file(tensors, str(file))
    return Dense(file=file, added=added)
