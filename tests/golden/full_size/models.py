# SPDX-License-Identifier: Apache-2.0
"""The models of each family at full size without their weights, and how others name their parts.

The recipes beside this file are the published configurations. The names follow from the models
themselves and from diffusers' converter, never from Tabard.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import nn

from tests.golden.full_size.original import original_names

FAMILIES = ("sd1", "sd2", "sdxl")
_PREFIX = "model.diffusion_model."


def recipe(family: str) -> dict[str, Any]:
    """Return the configurations of a family's models by component."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name(f"{family}.json").read_text())
    return found


def build(family: str) -> dict[str, Any]:
    """Return the models that adapters change, by component, on the meta device."""
    configs = recipe(family)
    models: dict[str, Any] = {}
    with torch.device("meta"):
        models["unet"] = UNet2DConditionModel(**configs.pop("unet"))
        for component, config in configs.items():
            kind = getattr(transformers, config.pop("class"))
            models[component] = kind(transformers.CLIPTextConfig(**config))
    return models


def original_by_module(family: str, *, unet: nn.Module) -> dict[str, str]:
    """Return the original name of every module of the UNet, as diffusers converts checkpoints."""
    config = recipe(family)["unet"]
    names = list(original_names(config))
    checkpoint = {f"{_PREFIX}{name}.{kind}": name for name in names for kind in ("weight", "bias")}
    converted = convert_ldm_unet_checkpoint(checkpoint, {"class_embed_type": None, **config})
    found = {key.removesuffix(".weight"): name for key, name in converted.items()}
    weights = {key.removesuffix(".weight") for key in unet.state_dict() if key.endswith(".weight")}
    modules = {key: name for key, name in found.items() if not key.endswith(".bias")}
    assert modules.keys() == weights, modules.keys() ^ weights
    assert len(set(modules.values())) == len(names)
    return modules


def classic(name: str, *, component: str) -> str:
    """Return a module's name as checkpoints have it: layers of text encoders below `text_model`."""
    is_plain = component == "unet" or name.startswith(("text_model.", "text_projection"))
    return name if is_plain else f"text_model.{name}"
