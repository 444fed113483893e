# SPDX-License-Identifier: Apache-2.0
"""Bring a base pipeline into memory: a diffusers folder, a single file, or a hub id.

In: the word a user writes after `--base`. Out: the components, in float32 on the CPU.
Knows nothing of adapters; moves nothing to a device.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tabard_server.engine.base.files.tensor_file import unreadable
from tabard_server.engine.base.pipeline import Opened, open_pipeline
from tabard_server.engine.base.place import DEMO_BASE, find_base
from tabard_server.engine.base.schedules.schedule import ZERO_SNR, Asked, prediction_of
from tabard_server.engine.base.text_layout import T5, TextLayout
from tabard_server.engine.networks.network import Network
from tabard_server.engine.networks.precision import Precision
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.loading_stage import Stage, Tell, tell_nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """One text encoder of a base.

    Attributes:
        component: `text_encoder`, `text_encoder_2` or `text_encoder_3`.
        model: The encoder.
        tokenizer: Its tokenizer.
    """

    component: str
    model: Any
    tokenizer: Any

    @property
    def is_t5(self) -> bool:
        """Whether it is a T5; all others are CLIPs."""
        return str(self.model.config.model_type) == T5


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The components of one base pipeline.

    Attributes:
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        source: Where it came from, as the user wrote it.
        text_parts: Its text encoders, in the order in which their outputs are joined.
        network: What takes the noise out.
        scheduler_config: Config of the scheduler it came with.
        latent_factor: Pixels per latent, along one side.
        is_empty_zero: Whether an empty negative prompt means zeros instead of an encoded nothing.
        has_linear_sigmas: Whether its pipeline gives its scheduler sigmas that fall evenly.
        text_layout: What its network reads of the text encoders.
        precision: What it will be served in.
        remarks: What an operator should know of it.
    """

    family: str
    source: str
    text_parts: tuple[TextPart, ...]
    network: Network
    vae: Any
    scheduler_config: dict[str, Any]
    latent_factor: int
    is_empty_zero: bool
    text_layout: TextLayout
    has_linear_sigmas: bool = False
    precision: Precision = field(default_factory=Precision)
    remarks: tuple[str, ...] = ()

    @property
    def prediction(self) -> str:
        """What its model predicts: `epsilon`, `v_prediction`, `sample` or `flow_prediction`."""
        return prediction_of(self.scheduler_config)

    @property
    def is_zero_snr(self) -> bool:
        """Whether the noise schedule ends in pure noise."""
        return bool(self.scheduler_config.get(ZERO_SNR))

    @property
    def models(self) -> Mapping[str, Any]:
        """Every model by the name of its component."""
        texts = {part.component: part.model for part in self.text_parts}
        return {self.network.component: self.network.module, "vae": self.vae, **texts}

    @property
    def adaptable(self) -> tuple[str, ...]:
        """Components whose layers adapters may change."""
        return (self.network.component, *(part.component for part in self.text_parts))

    @property
    def native_pixels(self) -> int:
        """Pixels per side that its network was trained at."""
        return self.network.native_side * self.latent_factor

    def length_of(self, part: TextPart) -> int:
        """Tokens that one of its text encoders is given at once."""
        if part.is_t5:
            return self.text_layout.t5_tokens
        return int(part.model.config.max_position_embeddings)

    @property
    def text_tokens(self) -> int:
        """Hidden states that say one short text to the network."""
        layout = self.text_layout
        clip = 0 if layout.clip_states == "none" else self.length_of(self.text_parts[0])
        return clip + layout.t5_tokens

    def image_tokens(self, size: Size) -> int:
        """Patches of a picture."""
        width, height = (side // self.latent_factor // self.network.patch for side in size)
        return width * height

    @property
    def pixel_multiple(self) -> int:
        """What diffusers asks for: a multiple of the VAE factor, of a patch, and of 8."""
        return math.lcm(self.latent_factor * self.network.patch, 8)


def load_base(
    base: str,
    *,
    config: str | None = None,
    asked: Asked | None = None,
    dtype: torch.dtype | None = torch.float32,
    storage: torch.dtype | None = None,
    tell: Tell = tell_nobody,
) -> Base:
    """Load a base by `demo`, folder, `.safetensors` file or hub id.

    Args:
        base: What to load.
        config: For a single file: a diffusers folder or hub id whose configs and tokenizer fit it.
        asked: What the operator says of it, against its own words.
        dtype: What it will be served in, where every weight must be finite; None: float16, or
            bfloat16 where that overflows.
        storage: What most weights of its network will be kept in; None: the same.
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
            storage=storage,
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
                tokenizer=opened.tokenizers[kind.tokenizer_of(component)],
            )
            for component in kind.text_encoders
        ),
        network=kind.network(models[kind.denoiser]),
        vae=models["vae"],
        scheduler_config=dict(opened.scheduler.config),
        latent_factor=2 ** (len(models["vae"].config.block_out_channels) - 1),
        is_empty_zero=opened.is_empty_zero,
        has_linear_sigmas=kind.has_linear_sigmas,
        text_layout=kind.text,
        precision=opened.precision,
        remarks=opened.remarks,
    )
