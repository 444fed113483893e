# SPDX-License-Identifier: Apache-2.0
"""Bring a base pipeline into memory: a diffusers folder, a single file, or a hub id.

In: the word a user writes after `--base`. Out: the components, in float32 on the CPU.
Knows nothing of adapters; moves nothing to a device.
"""

import json
import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from livery_server.engine.errors import BaseNotLoadable

DEMO_BASE = Path(__file__).parent.parent / "demo" / "base"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_OPTIONS: dict[str, Any] = {
    "torch_dtype": torch.float32,
    "safety_checker": None,
    "feature_extractor": None,
    "requires_safety_checker": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The components of one base pipeline.

    Attributes:
        family: `sd1`.
        source: Where it came from, as the user wrote it.
        pixel_multiple: Width and height must be multiples of it.
        latent_factor: Pixels per latent, along one side.
    """

    family: str
    source: str
    tokenizer: Any
    text_encoder: Any
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    latent_factor: int

    @property
    def native_pixels(self) -> int:
        """Pixels per side the UNet was trained at."""
        return int(self.unet.config.sample_size) * self.latent_factor

    @property
    def pixel_multiple(self) -> int:
        """What diffusers asks for: a multiple of the VAE factor and of 8."""
        return math.lcm(self.latent_factor, 8)


def load_base(base: str, *, config: str | None = None) -> Base:
    """Load a base by `demo`, folder, `.safetensors` file or hub id.

    Args:
        base: What to load.
        config: For a single file: a diffusers folder or hub id whose configs and tokenizer fit it.

    Raises:
        BaseNotLoadable: It is not there, is broken, or is of a family that is not served.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline = _read(base, config=config)
    except BaseNotLoadable:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise BaseNotLoadable(
            f"the base {base!r} cannot be loaded: {_first_line(error)}",
            hint="give `demo`, a diffusers folder, a .safetensors checkpoint, or a hub id that "
            "is cached or reachable",
        ) from error
    return _take_apart(pipeline, source=base)


def _read(base: str, *, config: str | None) -> Any:
    path = DEMO_BASE if base == "demo" else Path(base)
    if path.is_dir():
        _refuse_other_pipelines(path)
        return StableDiffusionPipeline.from_pretrained(str(path), local_files_only=True, **_OPTIONS)
    if path.is_file():
        if path.suffix != ".safetensors":
            raise BaseNotLoadable(
                f"{base} is not a .safetensors file",
                hint="convert the checkpoint to safetensors; pickled checkpoints are not read",
            )
        extra = {} if config is None else {"config": config}
        return StableDiffusionPipeline.from_single_file(str(path), **extra, **_OPTIONS)
    if _HUB_ID.fullmatch(base):
        return StableDiffusionPipeline.from_pretrained(base, use_safetensors=True, **_OPTIONS)
    raise BaseNotLoadable(
        f"the base {base!r} is neither a folder, nor a file, nor a hub id",
        hint="give `demo`, a diffusers folder, a .safetensors checkpoint, or an id like owner/name",
    )


def _refuse_other_pipelines(path: Path) -> None:
    index = path / "model_index.json"
    if not index.is_file():
        raise BaseNotLoadable(
            f"{path} has no model_index.json",
            hint="a diffusers folder holds model_index.json beside unet/, vae/, text_encoder/, …",
        )
    pipeline_class = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    if pipeline_class != "StableDiffusionPipeline":
        raise BaseNotLoadable(
            f"{path} holds a {pipeline_class}, which is not served",
            hint="this version serves the sd1 family: a StableDiffusionPipeline",
        )


def _take_apart(pipeline: Any, *, source: str) -> Base:
    unet = pipeline.unet
    latent_channels = pipeline.vae.config.latent_channels
    if unet.config.use_linear_projection or unet.config.in_channels != latent_channels:
        raise BaseNotLoadable(
            f"the base {source!r} is not a Stable Diffusion 1.x text-to-image pipeline",
            hint="this version serves the sd1 family",
        )
    for module in (unet, pipeline.vae, pipeline.text_encoder):
        module.eval().requires_grad_(False)
    return Base(
        family="sd1",
        source=source,
        tokenizer=pipeline.tokenizer,
        text_encoder=pipeline.text_encoder,
        unet=unet,
        vae=pipeline.vae,
        scheduler_config=dict(pipeline.scheduler.config),
        latent_factor=2 ** (len(pipeline.vae.config.block_out_channels) - 1),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
