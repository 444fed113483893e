# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder rewritten as one checkpoint in the original Stable Diffusion key layout."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.bases import load_pipeline

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
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
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


_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.": "ln_final.",
    "encoder.layers.": "transformer.resblocks.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
    ".self_attn.out_proj.": ".attn.out_proj.",
}


def write_single_file(base: Path, file: Path, *, marks: tuple[str, ...] = ()) -> Path:
    """Write a diffusers base as one `.safetensors` checkpoint; return the file.

    Args:
        base: The base.
        file: Where to write.
        marks: Keys that trainers add to say something, like `v_pred`.
    """
    pipe = load_pipeline(base)
    layers = int(pipe.unet.config.layers_per_block) + 1
    levels = len(pipe.vae.config.block_out_channels)
    attends = {f"{name}." for name, _ in pipe.unet.named_modules() if name.endswith(".attentions")}
    tensors: dict[str, torch.Tensor] = {mark: torch.zeros(1) for mark in marks}
    for key, value in pipe.unet.state_dict().items():
        name = _unet_key(key, layers=layers, attends=attends)
        tensors["model.diffusion_model." + name] = value
    for key, value in pipe.vae.state_dict().items():
        name = _vae_key(key, levels=levels)
        wide = ".attn_1." in name and name.endswith("weight") and ".norm." not in name
        tensors["first_stage_model." + name] = value[:, :, None, None] if wide else value
    tensors |= dict(_text(pipe))
    save_file({key: value.contiguous() for key, value in tensors.items()}, str(file))
    return file


def _text(pipe: Any) -> Iterator[tuple[str, torch.Tensor]]:
    first = _plain(pipe.text_encoder)
    if hasattr(pipe, "text_encoder_2"):
        for key, value in first.items():
            yield f"conditioner.embedders.0.transformer.text_model.{key}", value
        for key, value in _open_clip(_plain(pipe.text_encoder_2)):
            yield f"conditioner.embedders.1.model.{key}", value
    elif pipe.unet.config.use_linear_projection:
        for key, value in _open_clip(first):
            yield f"cond_stage_model.model.{key}", value
    else:
        for key, value in first.items():
            yield f"cond_stage_model.transformer.text_model.{key}", value


def _plain(model: Any) -> dict[str, torch.Tensor]:
    return {key.removeprefix("text_model."): value for key, value in model.state_dict().items()}


def _open_clip(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in state.items():
        if key == "text_projection.weight":
            yield "text_projection", value.T
        elif found := re.fullmatch(r"(.*)\.self_attn\.q_proj\.(weight|bias)", key):
            stem, kind = found.groups()
            parts = [state[f"{stem}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
            yield f"{_renamed(stem)}.attn.in_proj_{kind}", torch.cat(parts)
        elif not re.search(r"\.self_attn\.[kv]_proj\.", key):
            yield _renamed(key), value


def _renamed(key: str) -> str:
    for ours, theirs in _OPEN_CLIP.items():
        key = key.replace(ours, theirs)
    return key


def _unet_key(key: str, *, layers: int, attends: set[str]) -> str:
    for ours, theirs in _UNET_ENDS.items():
        if key.startswith(ours):
            return _resnet(theirs + key.removeprefix(ours))
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", key):
        side, level, kind, place, rest = found.groups()
        has_attention = f"{side}_blocks.{level}.attentions." in attends
        block = _block(
            side, int(level), kind, int(place), layers=layers, has_attention=has_attention
        )
        return _resnet(block + rest)
    return key


def _block(
    side: str, level: int, kind: str, place: int, *, layers: int, has_attention: bool
) -> str:
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * layers}.0.op."
    if kind == "upsamplers":
        return f"output_blocks.{level * layers + layers - 1}.{2 if has_attention else 1}."
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
