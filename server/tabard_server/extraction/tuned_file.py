# SPDX-License-Identifier: Apache-2.0
"""A single file in the original Stable Diffusion key layout as a tuned model.

The keys say the family; diffusers' own tables of names translate them, with the configs of the
base, so that nothing is fetched from anywhere. Tensors stay mapped from the file.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers.loaders import single_file_utils

from tabard_registry.refs.digest import sha256_file
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import TEXT_PREFIX
from tabard_server.extraction.errors import TunedModelMismatch, TunedModelUnreadable
from tabard_server.extraction.tuned_model import Tensors, TunedModel, read_tensors

_UNET = "model.diffusion_model."
_VAE = "first_stage_model."
_CLIP_OF_SD1 = "cond_stage_model.transformer."
_OPEN_CLIP_OF_SD2 = "cond_stage_model.model."
_CLIP_OF_SDXL = "conditioner.embedders.0.transformer."
_OPEN_CLIP_OF_SDXL = "conditioner.embedders.1.model."
_MARK_OF_V_PREDICTION = "v_pred"
_SHOWN_BY = {
    "sd1": (_CLIP_OF_SD1,),
    "sd2": (_OPEN_CLIP_OF_SD2,),
    "sdxl": (_CLIP_OF_SDXL, _OPEN_CLIP_OF_SDXL),
}
"""Beginnings of the keys of each family's text encoders, which only it has."""


def open_file(path: Path, *, base: Base) -> TunedModel:
    """Open a file with a tuned model.

    Raises:
        TunedModelUnreadable: It is no tuned model in safetensors.
        TunedModelMismatch: It is of another family, or parts of it are missing.
    """
    tensors = read_tensors(path)
    family = _family(tensors, source=str(path))
    if family != base.family:
        raise TunedModelMismatch(
            f"{path} is of the {family} family, the base is {base.family}",
            hint="extract against the base it was trained from",
        )
    components: dict[str, Tensors] = {
        "unet": single_file_utils.convert_ldm_unet_checkpoint(
            _below(_UNET, tensors), dict(base.unet.config)
        ),
        "vae": _vae(tensors, base=base, source=str(path)),
        **dict(_texts(tensors, base=base)),
    }
    return TunedModel(
        path=path,
        sha256=str(sha256_file(path)),
        components=components,
        unused=_unused(tensors, components),
        prediction="v_prediction" if _MARK_OF_V_PREDICTION in tensors else "",
    )


def _family(tensors: Tensors, *, source: str) -> str:
    if not any(key.startswith(_UNET) for key in tensors):
        raise TunedModelUnreadable(
            f"{source} holds no UNet of Stable Diffusion",
            hint="give a full checkpoint; an adapter is published as it is",
        )
    for family, prefixes in _SHOWN_BY.items():
        if all(any(key.startswith(prefix) for key in tensors) for prefix in prefixes):
            return family
    raise TunedModelMismatch(
        f"{source} holds no text encoders of sd1, sd2 or sdxl",
        hint="give the full checkpoint, with its text encoders",
    )


def _below(prefix: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _vae(tensors: Tensors, *, base: Base, source: str) -> Tensors:
    own = _below(_VAE, tensors)
    if not own:
        raise TunedModelMismatch(
            f"{source} holds no VAE", hint="give the full checkpoint, with its VAE"
        )
    found: Tensors = single_file_utils.convert_ldm_vae_checkpoint(own, dict(base.vae.config))
    return found


def _texts(tensors: Tensors, *, base: Base) -> Iterator[tuple[str, Tensors]]:
    for part, prefix in zip(base.text_parts, _SHOWN_BY[base.family], strict=True):
        own = _below(prefix, tensors)
        if prefix.endswith("model."):
            own = single_file_utils.convert_open_clip_checkpoint(part.model, own, prefix=prefix)
        else:
            own = {key.removeprefix(prefix): tensor for key, tensor in own.items()}
        yield part.component, {key.removeprefix(TEXT_PREFIX): tensor for key, tensor in own.items()}


def _unused(tensors: Tensors, components: dict[str, Tensors]) -> tuple[str, ...]:
    """Return the keys outside every component, and those of the UNet that no name is known for."""
    known = {id(tensor) for tensor in components["unet"].values()}
    prefixes = (_VAE, *(prefix for family in _SHOWN_BY.values() for prefix in family))
    return tuple(
        sorted(
            key
            for key, tensor in tensors.items()
            if not (id(tensor) in known if key.startswith(_UNET) else key.startswith(prefixes))
        )
    )
