# SPDX-License-Identifier: Apache-2.0
"""A tiny base with a transformer as one file, in the original layout of its family.

Keys are written backwards from where Tabard reads them; that they are the original's is for
diffusers' own conversion to say, in the tests.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tabard_server.engine.base.files.checkpoint_keys import (
    Place,
    text_places,
    transformer_places,
    vae_places,
)
from tabard_server.engine.base.names import plain_weights
from tests.bases import load_pipeline, text_encoders

PREFIX = "model.diffusion_model."
CLIPS = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}


def write_transformer_file(
    base: Path,
    file: Path,
    *,
    family: str,
    prefix: str = PREFIX,
    vae: str = "first_stage_model.",
    holds: tuple[str, ...] = (),
) -> Path:
    """Write the transformer of a base, and other components by name; return the file."""
    pipe = load_pipeline(base)
    places = transformer_places(pipe.transformer, family=family, prefix=prefix)
    tensors = dict(_written(pipe.transformer, places))
    if "vae" in holds:
        tensors |= dict(_written(pipe.vae, vae_places(pipe.vae, prefixes=(vae,))))
    for component, model in text_encoders(pipe).items():
        if component in holds:
            size = "t5xxl" if model.config.model_type == "t5" else CLIPS[component]
            own = f"text_encoders.{size}.transformer."
            tensors |= dict(_written(model, text_places(model, prefix=own, is_projected=True)))
    save_file(tensors, str(file))
    return file


def _written(model: Any, places: dict[str, Place]) -> Iterator[tuple[str, torch.Tensor]]:
    """Put pieces of one tensor back together; all others are copied."""
    weights = plain_weights(model)
    whole: dict[str, torch.Tensor] = {}
    for name, place in places.items():
        weight = weights[name]
        (key,) = place.keys
        if not place.spans:
            whole[key] = weight.clone()
            continue
        rows = whole.setdefault(key, torch.empty(place.rows, *weight.shape[1:]))
        start = 0
        for first, end in place.spans:
            rows[first:end] = weight[start : start + end - first]
            start += end - first
    yield from whole.items()
