# SPDX-License-Identifier: Apache-2.0
"""What a server says of the base that it has loaded.

In: a loaded base, and what the engine makes of it. Out: plain values, for callers and provenance.
"""

from importlib.metadata import version

import torch

from tabard_server.engine.base.loading import Base
from tabard_server.engine_port.base_facts import NUMERICS, BaseFacts

_LIBRARIES = ("diffusers", "peft", "torch", "transformers")


def facts_of(
    base: Base, *, samplers: tuple[str, ...], clip_skip_max: int, dtype: torch.dtype
) -> BaseFacts:
    """Return the facts of a base.

    Args:
        base: The base.
        samplers: Names of those that draw on it.
        clip_skip_max: How many layers of its text encoders can be left out.
        dtype: What its models are in.
    """
    return BaseFacts(
        native_width=base.native_pixels,
        native_height=base.native_pixels,
        pixel_multiple=base.pixel_multiple,
        latent_factor=base.latent_factor,
        clip_skip_max=clip_skip_max,
        train_timesteps=int(base.scheduler_config["num_train_timesteps"]),
        prediction=base.prediction,
        samplers=samplers,
        guidance=base.network.guidance,
        takes_sizes=base.network.takes_sizes,
        side_pixels_max=None
        if base.network.side_max is None
        else base.network.side_max * base.latent_factor,
        skippable_blocks=base.network.skippable_blocks,
        remarks=base.remarks,
        dtype=str(dtype).removeprefix("torch."),
        versions={name: version(name) for name in _LIBRARIES} | {"numerics": NUMERICS},
    )
