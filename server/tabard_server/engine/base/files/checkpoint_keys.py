# SPDX-License-Identifier: Apache-2.0
"""Where each weight of a model lies in a single checkpoint, in the original key layout.

In: a model, built and empty. Out: its weights' plain names with the keys that hold them. The
places follow from the model's own structure, so that what no place names is left over.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tabard_server.engine.base.names import TEXT_PROJECTION, plain_weights

UNET = "model.diffusion_model."
VAE = "first_stage_model."
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_NAMES = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
    "mid_block.attentions.0.to_q": "mid.attn_1.q",
    "mid_block.attentions.0.to_k": "mid.attn_1.k",
    "mid_block.attentions.0.to_v": "mid.attn_1.v",
    "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
}
_VAE_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.")
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
_THIRD = re.compile(r"\.self_attn\.([qkv])_proj\.(weight|bias)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one weight lies.

    Attributes:
        keys: Keys that may hold it; writers differ, and the first that is there counts.
        third: Which third of the tensor's rows it is; None: the whole.
        is_transposed: Whether rows and columns are exchanged.
    """

    keys: tuple[str, ...]
    third: int | None = None
    is_transposed: bool = False


def unet_places(unet: Any) -> Mapping[str, Place]:
    """Return where the weights of a UNet lie."""
    blocks = dict(_unet_blocks(unet))
    return {name: Place(keys=(UNET + _unet_key(name, blocks),)) for name in unet.state_dict()}


def vae_places(vae: Any) -> Mapping[str, Place]:
    """Return where the weights of a VAE lie."""
    levels = len(vae.config.block_out_channels)
    return {name: Place(keys=(VAE + _vae_key(name, levels),)) for name in vae.state_dict()}


def clip_places(model: Any, *, prefix: str) -> Mapping[str, Place]:
    """Return where the weights of a text encoder in transformers' names lie.

    Some writers, NovelAI's the first of them, leave `text_model.` out.
    """
    return {
        name: Place(keys=(f"{prefix}text_model.{name}", prefix + name))
        for name in plain_weights(model)
    }


def open_clip_places(model: Any, *, prefix: str) -> Mapping[str, Place]:
    """Return where the weights of a text encoder in OpenCLIP's names lie."""
    return {name: _open_clip_place(name, prefix) for name in plain_weights(model)}


def _unet_blocks(unet: Any) -> Iterator[tuple[str, str]]:
    """Yield beginnings of names with what stands for them; blocks are counted in their order."""
    number = 1
    for level, block in enumerate(unet.down_blocks):
        for place in range(len(block.resnets)):
            yield f"down_blocks.{level}.resnets.{place}", f"input_blocks.{number}.0"
            yield f"down_blocks.{level}.attentions.{place}", f"input_blocks.{number}.1"
            number += 1
        if block.downsamplers is not None:
            yield f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{number}.0.op"
            number += 1
    for name, found in {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}.items():
        yield f"mid_block.{name}", f"middle_block.{found}"
    number = 0
    for level, block in enumerate(unet.up_blocks):
        for place in range(len(block.resnets)):
            yield f"up_blocks.{level}.resnets.{place}", f"output_blocks.{number}.0"
            yield f"up_blocks.{level}.attentions.{place}", f"output_blocks.{number}.1"
            number += 1
        if block.upsamplers is not None:
            after = 2 if hasattr(block, "attentions") else 1
            last = f"output_blocks.{number - 1}.{after}"
            yield f"up_blocks.{level}.upsamplers.0.conv", f"{last}.conv"


def _unet_key(name: str, blocks: Mapping[str, str]) -> str:
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    parts = name.split(".")
    for depth in (3, 4, 5):
        if found := blocks.get(".".join(parts[:depth])):
            rest = parts[depth:]
            if "resnets" in parts[:depth]:
                rest[0] = _RESNET.get(rest[0], rest[0])
            return ".".join([found, *rest])
    return name


def _vae_key(name: str, levels: int) -> str:
    for ours, theirs in _VAE_NAMES.items():
        name = name.replace(f"{ours}.", f"{theirs}.")

    def block(found: re.Match[str]) -> str:
        side, level, kind, place = found.groups()
        number = int(level) if side == "down" else levels - 1 - int(level)
        inner = f"block.{place}" if kind == "resnets" else kind.removesuffix("rs")
        return f"{side}.{number}.{inner}."

    return _VAE_BLOCK.sub(block, name)


def _open_clip_place(name: str, prefix: str) -> Place:
    if name == f"{TEXT_PROJECTION}.weight":
        return Place(keys=(prefix + TEXT_PROJECTION,), is_transposed=True)
    third = _THIRD.search(name)
    if third is not None:
        name = f"{name[: third.start()]}.attn.in_proj_{third[2]}"
    for ours, theirs in _OPEN_CLIP.items():
        name = name.replace(ours, theirs)
    return Place(keys=(prefix + name,), third=None if third is None else "qkv".index(third[1]))
