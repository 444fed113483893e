# SPDX-License-Identifier: Apache-2.0
"""A diffusers folder becomes a pipeline, every weight of which comes from its files.

In: a folder with `model_index.json`. Out: a diffusers pipeline in float32. diffusers fills a
weight that no file holds with random numbers and goes on with a warning; here it is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from tabard_server.engine.base.families import PipelineKind, kind_of
from tabard_server.engine_port.errors import BaseNotLoadable

EXTRAS_LEFT_OUT: Mapping[str, None] = {
    "safety_checker": None,
    "feature_extractor": None,
    "image_encoder": None,
}
"""Components of the pipelines that serving does not need."""


def read_folder(path: Path) -> Any:
    """Load a diffusers folder.

    Raises:
        BaseNotLoadable: It is no folder of a served pipeline, or lacks weights.
    """
    index = _read_index(path)
    kind = kind_of(str(index.get("_class_name")), source=str(path))
    variant = _variant(path)
    models = {
        component: _read_model(path, component, class_name=class_name, variant=variant)
        for component, class_name in _model_classes(index, kind=kind, source=path).items()
    }
    pipeline_class = getattr(diffusers, kind.pipeline)
    return pipeline_class.from_pretrained(
        str(path), local_files_only=True, **models, **options_of(kind)
    )


def options_of(kind: PipelineKind) -> dict[str, Any]:
    """Return how a pipeline is loaded: in float32, without what serving does not need."""
    if kind.pipeline == "StableDiffusionXLPipeline":
        own: dict[str, Any] = {"image_encoder": None, "feature_extractor": None}
        own["add_watermarker"] = False
    else:
        own = {**EXTRAS_LEFT_OUT, "requires_safety_checker": False}
    return {"torch_dtype": torch.float32, **own}


def _read_index(path: Path) -> Mapping[str, Any]:
    file = path / "model_index.json"
    if not file.is_file():
        raise BaseNotLoadable(
            f"{path} has no model_index.json",
            hint="a diffusers folder holds model_index.json beside unet/, vae/, text_encoder/, …",
        )
    index = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(index, dict):
        raise BaseNotLoadable(
            f"{file} is not a JSON object", hint="download the folder again, or save it again"
        )
    return index


def _model_classes(index: Mapping[str, Any], *, kind: PipelineKind, source: Path) -> dict[str, str]:
    """Return component to class of everything with weights, as the index and the kind agree."""
    wanted = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", **kind.text_encoders}
    for component, class_name in wanted.items():
        found = (index.get(component) or [None, None])[1]
        if found != class_name:
            raise BaseNotLoadable(
                f"{source} has {found or 'nothing'} for its {component}, not a {class_name}",
                hint="serve a complete pipeline, saved by diffusers' save_pretrained",
            )
    return wanted


def _read_model(path: Path, component: str, *, class_name: str, variant: str | None) -> Any:
    library = transformers if component.startswith("text_encoder") else diffusers
    model, info = getattr(library, class_name).from_pretrained(
        str(path / component),
        torch_dtype=torch.float32,
        variant=variant,
        local_files_only=True,
        output_loading_info=True,
    )
    refuse_missing(sorted(info["missing_keys"]), component=component, source=str(path))
    return model


def refuse_missing(names: list[str], *, component: str, source: str) -> None:
    """Refuse a component some of whose weights were in no file.

    Raises:
        BaseNotLoadable: There are such weights.
    """
    if names:
        raise BaseNotLoadable(
            f"{source} lacks {len(names)} weights of its {component}, {names[0]} among them",
            hint="download or save the base again; missing weights are never made up",
        )


def _variant(path: Path) -> str | None:
    """Return `fp16` for a folder that holds nothing but half-precision files."""
    files = [*path.glob("unet/*.safetensors"), *path.glob("unet/*.bin")]
    is_half = files and all(".fp16." in file.name for file in files)
    return "fp16" if is_half else None
