# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder rewritten as one checkpoint in the original Stable Diffusion key layout."""

import re
import warnings
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
}
_VAE_ENDS = {
    "mid_block.resnets.0.": "mid.block_1.",
    "mid_block.resnets.1.": "mid.block_2.",
    "mid_block.attentions.0.group_norm.": "mid.attn_1.norm.",
    "mid_block.attentions.0.to_q.": "mid.attn_1.q.",
    "mid_block.attentions.0.to_k.": "mid.attn_1.k.",
    "mid_block.attentions.0.to_v.": "mid.attn_1.v.",
    "mid_block.attentions.0.to_out.0.": "mid.attn_1.proj_out.",
    "conv_norm_out.": "norm_out.",
    "conv_shortcut.": "nin_shortcut.",
}


def write_single_file(base: Path, file: Path) -> Path:
    """Write a diffusers base as one `.safetensors` checkpoint; return the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline.from_pretrained(str(base), safety_checker=None)
    layers = int(pipe.unet.config.layers_per_block) + 1
    levels = len(pipe.vae.config.block_out_channels)
    tensors: dict[str, torch.Tensor] = {}
    for key, value in pipe.unet.state_dict().items():
        tensors["model.diffusion_model." + _unet_key(key, layers=layers)] = value
    for key, value in pipe.vae.state_dict().items():
        name = _vae_key(key, levels=levels)
        wide = ".attn_1." in name and name.endswith("weight") and ".norm." not in name
        tensors["first_stage_model." + name] = value[:, :, None, None] if wide else value
    for key, value in pipe.text_encoder.state_dict().items():
        plain = key.removeprefix("text_model.")
        tensors[f"cond_stage_model.transformer.text_model.{plain}"] = value
    save_file({key: value.contiguous() for key, value in tensors.items()}, str(file))
    return file


def _unet_key(key: str, *, layers: int) -> str:
    for ours, theirs in _UNET_ENDS.items():
        if key.startswith(ours):
            return _resnet(theirs + key.removeprefix(ours))
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", key):
        side, level, kind, place, rest = found.groups()
        return _resnet(_block(side, int(level), kind, int(place), layers=layers) + rest)
    return key


def _block(side: str, level: int, kind: str, place: int, *, layers: int) -> str:
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * layers}.0.op."
    if kind == "upsamplers":
        return f"output_blocks.{level * layers + layers - 1}.{1 if level == 0 else 2}."
    number = level * layers + place + (1 if side == "down" else 0)
    return f"{'in' if side == 'down' else 'out'}put_blocks.{number}.{int(kind == 'attentions')}."


def _resnet(key: str) -> str:
    if "transformer_blocks" in key:
        return key
    head, _, tail = key.replace(".op.conv.", ".op.").rpartition(".")
    stem, _, last = head.rpartition(".")
    return f"{stem}.{_RESNET[last]}.{tail}" if last in _RESNET else f"{head}.{tail}"


def _vae_key(key: str, *, levels: int) -> str:
    for ours, theirs in _VAE_ENDS.items():
        key = key.replace(ours, theirs)
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", key)
    key = re.sub(
        r"up_blocks\.(\d+)\.", lambda found: f"up.{levels - 1 - int(found.group(1))}.", key
    )
    return key.replace(".resnets.", ".block.").replace(".upsamplers.0.", ".upsample.")
