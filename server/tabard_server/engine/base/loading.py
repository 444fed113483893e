# SPDX-License-Identifier: Apache-2.0
"""Bring a base pipeline into memory: a diffusers folder, a single file, or a hub id.

In: the word a user writes after `--base`. Out: the components, in float32 on the CPU.
Knows nothing of adapters; moves nothing to a device.
"""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline

from tabard_server.engine.base.diffusers_folder import EXTRAS_LEFT_OUT, read_folder
from tabard_server.engine.base.families import KINDS, family_of
from tabard_server.engine.base.single_file import read_single_file
from tabard_server.engine_port.errors import BaseNotLoadable

DEMO_BASE = Path(__file__).parents[2] / "demo" / "base"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""What can name a repository of the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """One text encoder of a base.

    Attributes:
        component: `text_encoder` or `text_encoder_2`.
        model: The encoder.
        tokenizer: Its tokenizer.
    """

    component: str
    model: Any
    tokenizer: Any

    @property
    def is_pooled(self) -> bool:
        """Whether its projected, pooled output conditions the UNet as well."""
        return hasattr(self.model, "text_projection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The components of one base pipeline.

    Attributes:
        family: `sd1`, `sd2` or `sdxl`.
        source: Where it came from, as the user wrote it.
        text_parts: Its text encoders, in the order in which their outputs are joined.
        scheduler_config: Config of the scheduler it came with.
        latent_factor: Pixels per latent, along one side.
        is_empty_zero: Whether an empty negative prompt means zeros instead of an encoded nothing.
    """

    family: str
    source: str
    text_parts: tuple[TextPart, ...]
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    latent_factor: int
    is_empty_zero: bool

    @property
    def models(self) -> Mapping[str, Any]:
        """Every model by the name of its component."""
        texts = {part.component: part.model for part in self.text_parts}
        return {"unet": self.unet, "vae": self.vae, **texts}

    @property
    def adaptable(self) -> tuple[str, ...]:
        """Components whose layers adapters may change."""
        return ("unet", *(part.component for part in self.text_parts))

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
        with warnings.catch_warnings(action="ignore"):
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
        return read_folder(path)
    if path.is_file():
        return read_single_file(path, config=config)
    if HUB_ID.fullmatch(base):
        folder = DiffusionPipeline.download(base, use_safetensors=True, **EXTRAS_LEFT_OUT)
        return read_folder(Path(folder))
    raise BaseNotLoadable(
        f"the base {base!r} is neither a folder, nor a file, nor a hub id",
        hint="give `demo`, a diffusers folder, a .safetensors checkpoint, or an id like owner/name",
    )


def _take_apart(pipeline: Any, *, source: str) -> Base:
    family = family_of(pipeline, source=source)
    kind = KINDS[type(pipeline).__name__]
    base = Base(
        family=family,
        source=source,
        text_parts=tuple(
            TextPart(
                component=component,
                model=getattr(pipeline, component),
                tokenizer=getattr(pipeline, tokenizer),
            )
            for component, tokenizer in zip(kind.text_encoders, kind.tokenizers, strict=True)
        ),
        unet=pipeline.unet,
        vae=pipeline.vae,
        scheduler_config=dict(pipeline.scheduler.config),
        latent_factor=2 ** (len(pipeline.vae.config.block_out_channels) - 1),
        is_empty_zero=bool(pipeline.config.get("force_zeros_for_empty_prompt", False)),
    )
    for model in base.models.values():
        model.eval().requires_grad_(False)
    return base


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
