# SPDX-License-Identifier: Apache-2.0
"""Bring a base pipeline into memory: a diffusers folder, a single file, or a hub id.

In: the word a user writes after `--base`. Out: the components, in float32 on the CPU.
Knows nothing of adapters; moves nothing to a device.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tabard_registry.intake.report.training_words import EPSILON
from tabard_server.engine.base.files.tensor_file import unreadable
from tabard_server.engine.base.pipeline import Opened, open_pipeline
from tabard_server.engine.base.place import DEMO_BASE, find_base
from tabard_server.engine.base.schedule import PREDICTION, ZERO_SNR, Asked
from tabard_server.engine_port.loading_stage import Stage, Tell, tell_nobody


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
        remarks: What an operator should know of it.
    """

    family: str
    source: str
    text_parts: tuple[TextPart, ...]
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    latent_factor: int
    is_empty_zero: bool
    remarks: tuple[str, ...] = ()

    @property
    def prediction(self) -> str:
        """What the UNet predicts: `epsilon`, `v_prediction` or `sample`."""
        return str(self.scheduler_config.get(PREDICTION, EPSILON))

    @property
    def is_zero_snr(self) -> bool:
        """Whether the noise schedule ends in pure noise."""
        return bool(self.scheduler_config.get(ZERO_SNR))

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


def load_base(
    base: str,
    *,
    config: str | None = None,
    asked: Asked | None = None,
    dtype: torch.dtype = torch.float32,
    tell: Tell = tell_nobody,
) -> Base:
    """Load a base by `demo`, folder, `.safetensors` file or hub id.

    Args:
        base: What to load.
        config: For a single file: a diffusers folder or hub id whose configs and tokenizer fit it.
        asked: What the operator says of it, against its own words.
        dtype: What it will be served in; every weight must be finite there.
        tell: Is told how far it is.

    Raises:
        BaseNotLoadable: It is not there, is broken, or is of a family that is not served.
    """
    tell(Stage(name="finding or fetching the base"))
    path = find_base(base)
    try:
        opened = open_pipeline(
            path,
            config=str(DEMO_BASE) if config == "demo" else config,
            asked=asked or Asked(),
            dtype=dtype,
            tell=tell,
        )
    except OSError as error:
        # Even asking whether a file is there may be forbidden.
        raise unreadable(Path(error.filename or path), error) from error
    return _take_apart(opened, source=base)


def _take_apart(opened: Opened, *, source: str) -> Base:
    models, kind = opened.models, opened.kind
    return Base(
        family=opened.family,
        source=source,
        text_parts=tuple(
            TextPart(
                component=component,
                model=models[component],
                tokenizer=opened.tokenizers[tokenizer],
            )
            for component, tokenizer in zip(kind.text_encoders, kind.tokenizers, strict=True)
        ),
        unet=models["unet"],
        vae=models["vae"],
        scheduler_config=dict(opened.scheduler.config),
        latent_factor=2 ** (len(models["vae"].config.block_out_channels) - 1),
        is_empty_zero=opened.is_empty_zero,
        remarks=opened.remarks,
    )
