# SPDX-License-Identifier: Apache-2.0
"""The transformers at full size without weights, and what the published code calls their parts.

The recipes beside this file are the published configurations. Names and rows follow from the models
themselves and from diffusers' own conversion of checkpoints, never from Tabard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from diffusers.loaders.single_file_utils import (
    convert_flux_transformer_checkpoint_to_diffusers,
    convert_sd3_transformer_checkpoint_to_diffusers,
)
from torch import nn
from transformers.initialization import no_init_weights

from tests.golden.full_size.models import recipe

MODELS = ("sd3_medium", "sd3_large", "flux")
"""What there is a recipe of."""
Piece = tuple[str, list[list[int]]]
"""An original, and which of its rows."""
_CONVERSIONS = {
    "sd3": convert_sd3_transformer_checkpoint_to_diffusers,
    "flux": convert_flux_transformer_checkpoint_to_diffusers,
}


def family_of(model: str) -> str:
    """Return `sd3` or `flux`."""
    return model.partition("_")[0]


def build(model: str) -> dict[str, Any]:
    """Return the models that adapters change, by component, on the meta device."""
    models: dict[str, Any] = {}
    with init_empty_weights(), no_init_weights():
        for component, config in recipe(model).items():
            name = config.pop("class")
            if component == "transformer":
                models[component] = getattr(diffusers, name)(**config)
                continue
            kind = transformers.T5Config if name.startswith("T5") else transformers.CLIPTextConfig
            models[component] = getattr(transformers, name)(kind(**config))
    return models


def original_pieces(model: str, *, transformer: nn.Module) -> dict[str, Piece]:
    """Return where diffusers finds each module: in which original, and in which of its rows."""
    checkpoint: dict[str, torch.Tensor] = {}
    owners: list[tuple[int, str]] = []
    start = 0
    for name, kind, outputs in original_layers(model):
        rows = torch.arange(start, start + outputs)
        is_matrix = kind == "weight" and not name.endswith(("ln_q", "ln_k"))
        checkpoint[f"{name}.{kind}"] = rows[:, None] if is_matrix else rows
        if is_matrix:
            checkpoint[f"{name}.bias"] = rows
        owners.append((start, name))
        start += outputs
    if family_of(model) == "sd3":
        checkpoint["pos_embed"] = torch.zeros(1)
    converted = _CONVERSIONS[family_of(model)](checkpoint)
    assert not checkpoint, "diffusers reads everything that the published code has"
    converted.pop("pos_embed.pos_embed", None)
    starts = {name: at for at, name in owners}
    owner_of = _Owners(owners)
    found = {}
    for key, rows in converted.items():
        if key.endswith(".weight"):
            original = owner_of(int(rows.flatten()[0]))
            own = rows.flatten() - starts[original]
            found[key.removesuffix(".weight")] = (original, _spans(own))
    assert found.keys() == _with_weights(transformer)
    return found


def original_layers(model: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, what its weight is called, and outputs of all that the published code builds."""
    config = recipe(model)["transformer"]
    width = config["num_attention_heads"] * config["attention_head_dim"]
    layers = _sd3(config, width) if family_of(model) == "sd3" else _flux(config, width)
    for name, outputs in layers.items():
        yield name, "scale" if name.endswith(("query_norm", "key_norm")) else "weight", outputs


def _sd3(config: Mapping[str, Any], width: int) -> dict[str, int]:
    head, last = config["attention_head_dim"], config["num_layers"] - 1
    patch = config["patch_size"] ** 2 * config["out_channels"]
    layers = {
        **{f"{name}.mlp.{n}": width for name in ("t_embedder", "y_embedder") for n in (0, 2)},
        "x_embedder.proj": width,
        "context_embedder": width,
        "final_layer.linear": patch,
        "final_layer.adaLN_modulation.1": 2 * width,
    }
    for at in range(config["num_layers"]):
        is_dual = at in config["dual_attention_layers"]
        for side in ("x_block", "context_block"):
            stem, is_end = f"joint_blocks.{at}.{side}", side == "context_block" and at == last
            for attn in ("attn", "attn2") if is_dual and side == "x_block" else ("attn",):
                layers[f"{stem}.{attn}.qkv"] = 3 * width
                layers |= {f"{stem}.{attn}.{norm}": head for norm in ("ln_q", "ln_k")}
                layers |= {} if is_end else {f"{stem}.{attn}.proj": width}
            parts = 2 if is_end else 9 if is_dual and side == "x_block" else 6
            layers[f"{stem}.adaLN_modulation.1"] = parts * width
            if not is_end:
                layers |= {f"{stem}.mlp.fc1": 4 * width, f"{stem}.mlp.fc2": width}
    return layers


def _flux(config: Mapping[str, Any], width: int) -> dict[str, int]:
    head = config["attention_head_dim"]
    embedders = ("time_in", "vector_in", "guidance_in")
    layers = {
        **{f"{name}.{way}_layer": width for name in embedders for way in ("in", "out")},
        "img_in": width,
        "txt_in": width,
        "final_layer.linear": config["in_channels"],
        "final_layer.adaLN_modulation.1": 2 * width,
    }
    for at in range(config["num_layers"]):
        for side in ("img", "txt"):
            stem = f"double_blocks.{at}.{side}"
            layers |= {f"{stem}_mod.lin": 6 * width, f"{stem}_attn.qkv": 3 * width}
            layers |= {f"{stem}_attn.norm.{norm}": head for norm in ("query_norm", "key_norm")}
            layers |= {f"{stem}_attn.proj": width, f"{stem}_mlp.0": 4 * width}
            layers[f"{stem}_mlp.2"] = width
    for at in range(config["num_single_layers"]):
        stem = f"single_blocks.{at}"
        layers |= {f"{stem}.modulation.lin": 3 * width, f"{stem}.linear1": 7 * width}
        layers |= {f"{stem}.norm.{norm}": head for norm in ("query_norm", "key_norm")}
        layers[f"{stem}.linear2"] = width
    return layers


class _Owners:
    """Which original a row number belongs to."""

    def __init__(self, owners: list[tuple[int, str]]) -> None:
        self._starts = torch.tensor([start for start, _ in owners])
        self._names = [name for _, name in owners]

    def __call__(self, row: int) -> str:
        return self._names[int(torch.searchsorted(self._starts, row, right=True)) - 1]


def _spans(rows: torch.Tensor) -> list[list[int]]:
    """Return row numbers as stretches that rise by one."""
    breaks = ((rows.diff() != 1).nonzero().flatten() + 1).tolist()
    edges = [0, *breaks, len(rows)]
    return [[int(rows[start]), int(rows[end - 1]) + 1] for start, end in pairwise(edges)]


def _with_weights(transformer: nn.Module) -> set[str]:
    return {
        name.removesuffix(".weight")
        for name in transformer.state_dict()
        if name.endswith(".weight")
    }
