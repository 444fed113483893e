# SPDX-License-Identifier: Apache-2.0
"""Tiny encoders of random weights, as the libraries that people use would save them."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from tabard_server.encoders.settings import EncoderSettings

CLIP_PROCESSOR: dict[str, Any] = {
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
}
DINO_PROCESSOR: dict[str, Any] = {
    "size": {"shortest_edge": 36},
    "crop_size": {"height": 28, "width": 28},
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
BYTES_MAX = 1 << 24
_WIDTHS: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
}


class Means(torch.nn.Module):
    """The mean of each channel and of its square: the smallest model that sees."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images.mean(dim=(2, 3)), (images**2).mean(dim=(2, 3))], dim=1)


def encoder(path: Path | str, **changes: Any) -> EncoderSettings:
    """Return the settings of an encoder."""
    return EncoderSettings(**{"name": "mine", "kind": "style", "path": str(path), **changes})


def save_clip(folder: Path, *, is_whole: bool = False, projection: int = 24) -> Any:
    """Save a CLIP, whole or the half that sees; return the half that sees."""
    torch.manual_seed(3)
    vision = {**_WIDTHS, "image_size": 32, "patch_size": 8}
    if is_whole:
        text = {**_WIDTHS, "vocab_size": 99}
        config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=projection)
        CLIPModel(config).save_pretrained(folder)
    else:
        config = CLIPVisionConfig(**vision, projection_dim=projection)
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    CLIPImageProcessorPil(**CLIP_PROCESSOR).save_pretrained(folder)
    return CLIPVisionModelWithProjection.from_pretrained(folder, projection_dim=projection).eval()


def save_dinov2(folder: Path) -> Any:
    """Save a DINOv2; return it."""
    torch.manual_seed(4)
    model = Dinov2Model(Dinov2Config(**_WIDTHS, image_size=28, patch_size=7)).eval()
    model.save_pretrained(folder)
    BitImageProcessorPil(**DINO_PROCESSOR).save_pretrained(folder)
    return model


def save_script(path: Path, model: torch.nn.Module | None = None) -> Path:
    """Save a model as TorchScript."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        torch.jit.script(model or Means()).save(str(path))
    return path


def rewrite(file: Path, **changes: Any) -> None:
    """Change entries of a JSON file; None takes one away."""
    found = json.loads(file.read_text())
    kept = {name: value for name, value in (found | changes).items() if value is not None}
    file.write_text(json.dumps(kept))
