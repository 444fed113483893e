# SPDX-License-Identifier: Apache-2.0
"""A single checkpoint file in the original key layout becomes a pipeline.

In: a `.safetensors` file, and where its configs and tokenizers are. Out: a diffusers pipeline in
float32, every weight of which was in the file. The keys say which family it is.
"""

import warnings
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import diffusers
from safetensors import SafetensorError, safe_open

from tabard_server.engine.base.diffusers_folder import options_of, refuse_missing
from tabard_server.engine.base.families import KINDS, PipelineKind, kind_of
from tabard_server.engine_port.errors import BaseNotLoadable

_ENCODERS_OF_SDXL = "conditioner.embedders."
_ENCODER_OF_SD1 = "cond_stage_model.transformer."
_ENCODER_OF_SD2 = "cond_stage_model.model."
# Trainers of v-prediction models leave these two marks; the configs of the family know nothing.
_MARK_OF_V_PREDICTION = "v_pred"
_MARK_OF_ZERO_SNR = "ztsnr"


def read_single_file(path: Path, *, config: str | None) -> Any:
    """Load a checkpoint file.

    Args:
        path: The file.
        config: A diffusers folder or hub id whose configs and tokenizers fit it; None: the ones
            that diffusers knows for its family.

    Raises:
        BaseNotLoadable: It is no complete checkpoint of a served family.
    """
    if path.suffix != ".safetensors":
        raise BaseNotLoadable(
            f"{path} is not a .safetensors file",
            hint="convert the checkpoint to safetensors; pickled checkpoints are not read",
        )
    keys = _keys(path)
    kind = _kind(keys, source=str(path))
    extra = {} if config is None else {"config": config}
    with warnings.catch_warnings(action="ignore"):
        pipeline = getattr(diffusers, kind.pipeline).from_single_file(
            str(path), **extra, **options_of(kind)
        )
    for component in ("unet", "vae", *kind.text_encoders):
        model = getattr(pipeline, component)
        # What the file does not hold stays without storage.
        missing = [name for name, tensor in model.state_dict().items() if tensor.is_meta]
        refuse_missing(missing, component=component, source=str(path))
    _obey_marks(pipeline, keys=keys)
    return pipeline


def _keys(path: Path) -> AbstractSet[str]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return frozenset(file.keys())
    except SafetensorError as error:
        raise BaseNotLoadable(
            f"{path} is not a whole safetensors file: {error}", hint="download the file again"
        ) from error


def _kind(keys: AbstractSet[str], *, source: str) -> PipelineKind:
    def has(prefix: str) -> bool:
        return any(key.startswith(prefix) for key in keys)

    if not has("model.diffusion_model."):
        raise BaseNotLoadable(
            f"{source} holds no UNet of Stable Diffusion",
            hint="give a full checkpoint; adapters are published, not served as a base",
        )
    if has(f"{_ENCODERS_OF_SDXL}1."):
        return KINDS["StableDiffusionXLPipeline"]
    if has(_ENCODERS_OF_SDXL):
        return kind_of("StableDiffusionXLImg2ImgPipeline (an SDXL refiner)", source=source)
    if has(_ENCODER_OF_SD1) or has(_ENCODER_OF_SD2):
        return KINDS["StableDiffusionPipeline"]
    raise BaseNotLoadable(
        f"{source} holds no text encoder of Stable Diffusion",
        hint="give a full checkpoint of the sd1, sd2 or sdxl family",
    )


def _obey_marks(pipeline: Any, *, keys: AbstractSet[str]) -> None:
    changes: dict[str, Any] = {}
    if _MARK_OF_V_PREDICTION in keys:
        changes["prediction_type"] = "v_prediction"
    if _MARK_OF_ZERO_SNR in keys:
        changes |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    if changes:
        scheduler = pipeline.scheduler
        pipeline.scheduler = type(scheduler).from_config({**scheduler.config, **changes})
