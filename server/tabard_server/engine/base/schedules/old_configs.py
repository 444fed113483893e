# SPDX-License-Identifier: Apache-2.0
"""What diffusers' pipelines correct in the configurations of bases that were saved long ago.

In: a scheduler and a UNet. Out: the same ones, told what a pipeline would tell them. Nothing here
draws with a pipeline, and to build one only for this takes as long as to load a small base.
"""

from typing import Any

from packaging.version import InvalidVersion, Version

from tabard_server.engine_port.errors import BaseNotLoadable

_SIDE = 64
"""Latents of a picture of SD1's own size, which files said wrong before 0.9.0."""


def correct_old(scheduler: Any, unet: Any, *, source: str) -> None:
    """Correct what `StableDiffusionPipeline` of diffusers corrects of its parts.

    Raises:
        BaseNotLoadable: The UNet was saved by a version that is none.
    """
    if scheduler.config.get("steps_offset", 1) != 1:
        scheduler.register_to_config(steps_offset=1)
    if scheduler.config.get("clip_sample", False) is True:
        scheduler.register_to_config(clip_sample=False)
    side = unet.config.get("sample_size")
    if _is_before_0_9(unet, source=source) and isinstance(side, int) and side < _SIDE:
        unet.register_to_config(sample_size=_SIDE)


def _is_before_0_9(unet: Any, *, source: str) -> bool:
    if "_diffusers_version" not in unet.config:
        return False
    said = unet.config["_diffusers_version"]
    try:
        return Version(Version(said).base_version) < Version("0.9.0.dev0")
    except (InvalidVersion, TypeError) as error:
        raise BaseNotLoadable(
            f"the UNet of {source} says that diffusers {str(said)[:40]} saved it",
            hint="save the pipeline again",
        ) from error
