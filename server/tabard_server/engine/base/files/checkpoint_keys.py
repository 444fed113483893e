# SPDX-License-Identifier: Apache-2.0
"""Where each weight of a model lies in a single checkpoint, in the original key layout.

In: a model, built and empty. Out: its weights' plain names with the keys that hold them. The
places follow from the model's own structure, so that what no place names is left over.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tabard_registry.intake.layers.products import Span
from tabard_registry.intake.transformer_names import originals_of
from tabard_server.engine.base.names import TEXT_PREFIX, TEXT_PROJECTION, plain_weights
from tabard_server.engine.base.text_layout import T5

UNET = "model.diffusion_model."
VAE = "first_stage_model."
OTHER_VAE = "vae."
"""What the VAE's keys begin with in whole files that ComfyUI saved of Flux."""
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
_POSITIONS = "pos_embed.pos_embed"
_FLUX_NORMS = (".query_norm", ".key_norm")
_PROJECTION = f"{TEXT_PROJECTION}.weight"
_THIRD = re.compile(r"\.self_attn\.([qkv])_proj\.(weight|bias)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one weight lies.

    Attributes:
        keys: Keys that may hold it; writers differ, and the first that is there counts.
        spans: Which of the tensor's rows it is, in its own order; empty: the whole.
        rows: How many rows the tensor has, where only some are read.
        is_transposed: Whether rows and columns are exchanged.
        unit: Rows of the unit matrix that it is, whatever a file says; 0: it is none.
    """

    keys: tuple[str, ...]
    spans: tuple[Span, ...] = ()
    rows: int = 0
    is_transposed: bool = False
    unit: int = 0


def unet_places(unet: Any) -> Mapping[str, Place]:
    """Return where the weights of a UNet lie."""
    blocks = dict(_unet_blocks(unet))
    return {name: Place(keys=(UNET + _unet_key(name, blocks),)) for name in unet.state_dict()}


def transformer_places(transformer: Any, *, family: str, prefix: str) -> Mapping[str, Place]:
    """Return where the weights of a transformer lie: of fused layers, each its own rows."""
    own = transformer.state_dict()
    weights = {
        name.removesuffix(".weight"): tensor.shape
        for name, tensor in own.items()
        if name.endswith(".weight")
    }
    known = originals_of(
        family,
        inputs={name: shape[1] for name, shape in weights.items() if len(shape) > 1},
        outputs={name: shape[0] for name, shape in weights.items()},
    )
    places = {
        f"{piece.module}.{kind}": Place(
            keys=(f"{prefix}{one.name}.{_norm_kind(one.name, kind)}",),
            spans=() if one.is_whole else piece.spans,
            rows=one.outputs,
        )
        for one in known
        for piece in one.pieces
        for kind in ("weight", "bias")
        if f"{piece.module}.{kind}" in own
    }
    if _POSITIONS in own:
        places[_POSITIONS] = Place(keys=(f"{prefix}pos_embed",))
    return places


def vae_places(vae: Any, *, prefixes: tuple[str, ...] = (VAE,)) -> Mapping[str, Place]:
    """Return where the weights of a VAE lie."""
    levels = len(vae.config.block_out_channels)
    return {
        name: Place(keys=tuple(prefix + _vae_key(name, levels) for prefix in prefixes))
        for name in vae.state_dict()
    }


def clip_places(model: Any, *, prefix: str) -> Mapping[str, Place]:
    """Return where the weights of a text encoder in transformers' names lie.

    Some writers, NovelAI's the first of them, leave `text_model.` out.
    """
    return {
        name: Place(keys=(f"{prefix}text_model.{name}", prefix + name))
        for name in plain_weights(model)
    }


def text_places(model: Any, *, prefix: str, is_projected: bool) -> Mapping[str, Place]:
    """Return where the weights of a text encoder lie in whole files of transformers.

    Args:
        model: The encoder.
        prefix: What its keys begin with.
        is_projected: Whether its summary is projected. That of SD3's first CLIP is not: diffusers
            has a projection there which changes nothing, and files may hold CLIP's own.
    """
    level = "" if model.config.model_type == T5 else TEXT_PREFIX
    places = {
        name: Place(keys=(f"{prefix}{'' if name.startswith(TEXT_PROJECTION) else level}{name}",))
        for name in plain_weights(model)
    }
    if not is_projected and _PROJECTION in places:
        places[_PROJECTION] = Place(keys=(), unit=int(model.config.hidden_size))
    return places


def open_clip_places(model: Any, *, prefix: str) -> Mapping[str, Place]:
    """Return where the weights of a text encoder in OpenCLIP's names lie."""
    return {
        name: _open_clip_place(name, prefix, rows=int(weight.shape[0]))
        for name, weight in plain_weights(model).items()
    }


def _norm_kind(original: str, kind: str) -> str:
    """Flux's code calls the weight of a norm its scale."""
    return "scale" if original.endswith(_FLUX_NORMS) else kind


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


def _open_clip_place(name: str, prefix: str, *, rows: int) -> Place:
    if name == _PROJECTION:
        return Place(keys=(prefix + TEXT_PROJECTION,), is_transposed=True)
    third = _THIRD.search(name)
    if third is not None:
        name = f"{name[: third.start()]}.attn.in_proj_{third[2]}"
    for ours, theirs in _OPEN_CLIP.items():
        name = name.replace(ours, theirs)
    if third is None:
        return Place(keys=(prefix + name,))
    start = "qkv".index(third[1]) * rows
    return Place(keys=(prefix + name,), spans=((start, start + rows),), rows=3 * rows)
