# SPDX-License-Identifier: Apache-2.0
"""Transformers of diffusers as the registry knows them, and its conversion as an oracle.

diffusers' functions that read original checkpoints split and turn rows; they know nothing of
adapters, so a change is handed to them as if it were a weight.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.loaders.single_file_utils import (
    convert_flux_transformer_checkpoint_to_diffusers,
    convert_sd3_transformer_checkpoint_to_diffusers,
)

from tabard_registry import BaseProfile, ModuleShape, sha256_bytes
from tests.registry.fakes import Tensors


def sd3_profile() -> BaseProfile:
    """Two blocks of SD3.5 medium: the first with a second attention, the last without an end."""
    with torch.device("meta"):
        model = SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=4,
            num_attention_heads=2,
            caption_projection_dim=8,
            joint_attention_dim=12,
            pooled_projection_dim=10,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        )
    return profile_of(model, family="sd3")


def flux_profile() -> BaseProfile:
    """One block of each kind; as wide as Flux is, since diffusers' conversion takes no other."""
    with torch.device("meta"):
        model = FluxTransformer2DModel(
            num_layers=1, num_single_layers=1, guidance_embeds=True, joint_attention_dim=16
        )
    return profile_of(model, family="flux")


def profile_of(model: Any, *, family: str) -> BaseProfile:
    """The layers, norms and biases of a transformer."""
    modules = dict(model.named_modules())
    linear = {n: m for n, m in modules.items() if isinstance(m, torch.nn.Linear)}
    vectors = {name: len(x) for name, x in model.named_parameters() if x.ndim == 1}
    shapes = {
        name: ModuleShape(kind="linear", inputs=m.in_features, outputs=m.out_features)
        for name, m in linear.items()
    }
    for name, m in modules.items():
        if isinstance(m, torch.nn.Conv2d):
            height, width = m.kernel_size
            shapes[name] = ModuleShape(
                kind="conv2d",
                inputs=m.in_channels,
                outputs=m.out_channels,
                kernel=(int(height), int(width)),
            )
    return BaseProfile(
        family=family,
        fingerprints={"transformer": str(sha256_bytes(b"transformer"))},
        modules={"transformer": shapes},
        token_widths={},
        vectors={"transformer": vectors},
    )


def converted(weights: Mapping[str, Any], *, family: str) -> Tensors:
    """What diffusers makes of an original checkpoint; every tensor of it must be used."""
    left = {name: torch.from_numpy(np.asarray(x)) for name, x in weights.items()}
    convert = {
        "sd3": convert_sd3_transformer_checkpoint_to_diffusers,
        "flux": convert_flux_transformer_checkpoint_to_diffusers,
    }[family]
    found = convert(left)
    assert not left
    return {name: x.numpy() for name, x in found.items()}
