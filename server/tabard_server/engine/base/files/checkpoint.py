# SPDX-License-Identifier: Apache-2.0
"""A single checkpoint file in the original key layout: which family it is, and what lies where.

In: a `.safetensors` file, then the empty models that its weights are for. Out: tensors by
component under plain names. Every key of a component is a weight, harmless by name, or a refusal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tabard_server.engine.base.files.checkpoint_keys import (
    UNET,
    VAE,
    Place,
    clip_places,
    open_clip_places,
    unet_places,
    vae_places,
)
from tabard_server.engine.base.files.foreign import refuse_foreign
from tabard_server.engine.base.files.leftovers import (
    is_bookkeeping,
    is_harmless,
    refuse_left_over,
)
from tabard_server.engine.base.files.scales import FLOAT8, undo_scales
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.files.tensor_file import Tensors, open_tensor_file
from tabard_server.engine_port.errors import BaseNotLoadable

MARKS = ("v_pred", "ztsnr")
"""Keys without numbers that say how a model was trained."""
_ALPHAS = "alphas_cumprod"
_SD1, _SD2 = "cond_stage_model.transformer.", "cond_stage_model.model."
_SDXL = ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.")
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "sd1": {"text_encoder": _SD1},
    "sd2": {"text_encoder": _SD2},
    "sdxl": {"text_encoder": _SDXL[0], "text_encoder_2": _SDXL[1]},
}
"""Family to component to what its keys begin with; only that family has them."""
_OF_TEXTS = ("cond_stage_model.", "conditioner.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A file whose keys are those of a whole model.

    Attributes:
        path: The file.
        family: `sd1`, `sd2` or `sdxl`, as its keys say.
        tensors: Its tensors by key; scaled back when they are looked at.
        words: What it says of itself: the texts of its header, and the marks among its keys.
        is_eight_bit: Whether weights were kept in eight bits.
    """

    path: Path
    family: str
    tensors: Tensors
    words: Mapping[str, str]
    is_eight_bit: bool


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a file and see what it is.

    Raises:
        BaseNotLoadable: It is no whole checkpoint of a served family.
    """
    if path.suffix != ".safetensors":
        raise BaseNotLoadable(
            f"{path} is not a .safetensors file",
            hint="convert the checkpoint to safetensors; pickled checkpoints are not read",
        )
    file = open_tensor_file(path)
    source = str(path)
    refuse_foreign(file.tensors.keys(), source=source)
    marks = {key: "among its keys" for key in MARKS if key in file.tensors}
    return Checkpoint(
        path=path,
        family=_family(file.tensors.keys(), source=source),
        tensors=undo_scales(file.tensors, source=source),
        words={**file.metadata, **marks},
        is_eight_bit=any(tensor.dtype in FLOAT8 for tensor in file.tensors.values()),
    )


def arrange(checkpoint: Checkpoint, *, models: Mapping[str, Any]) -> StoredModel:
    """Return the tensors of a checkpoint by the components that they are for.

    Args:
        checkpoint: The file.
        models: The components of its family.

    Raises:
        BaseNotLoadable: A component's keys hold more than its weights, or the VAE is not there.
    """
    tensors, source = checkpoint.tensors, str(checkpoint.path)
    if not any(key.startswith(VAE) for key in tensors):
        raise BaseNotLoadable(
            f"{source} holds no VAE, so that nothing could be decoded",
            hint="give a checkpoint with its VAE in it, or load both with diffusers and save them "
            "as one folder",
        )
    components: dict[str, Tensors] = {}
    read: set[str] = set()
    for component, model in models.items():
        found = _Arranged(tensors, _places(component, model, family=checkpoint.family))
        components[component] = found
        read |= found.keys_read
    others = [key for key in tensors if key not in read]
    for component, prefix in _prefixes(checkpoint.family).items():
        own = [key for key in others if key.startswith(prefix)]
        layers = _layer_count(models[component])
        refuse_left_over(
            [
                key
                for key in own
                if not is_harmless(key.removeprefix(prefix), component=component)
                and not _is_last_layer(key, family=checkpoint.family, layers=layers)
            ],
            component=component,
            source=source,
        )
        others = [key for key in others if not key.startswith(prefix)]
    strange = [key for key in others if key.startswith(_OF_TEXTS)]
    refuse_left_over(strange, component="text encoders", source=source)
    return StoredModel(
        source=source,
        components=components,
        words=checkpoint.words,
        elsewhere=tuple(sorted(_elsewhere(others))),
        alphas=_alphas(tensors),
        is_eight_bit=checkpoint.is_eight_bit,
    )


class _Arranged(Mapping[str, torch.Tensor]):
    """The weights of one component by plain names, cut out when they are looked at."""

    def __init__(self, tensors: Tensors, places: Mapping[str, Place]) -> None:
        self._tensors = tensors
        self._found = {
            name: (key, place)
            for name, place in places.items()
            if (key := next((key for key in place.keys if key in tensors), None)) is not None
        }

    @property
    def keys_read(self) -> set[str]:
        """The keys of the file that hold them."""
        return {key for key, _place in self._found.values()}

    def __getitem__(self, name: str) -> torch.Tensor:
        key, place = self._found[name]
        tensor = self._tensors[key]
        if place.third is not None:
            rows = tensor.shape[0] // 3 if tensor.ndim else 0
            tensor = tensor[place.third * rows : (place.third + 1) * rows] if rows else tensor
        return tensor.T if place.is_transposed and tensor.ndim == 2 else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _family(keys: Iterable[str], *, source: str) -> str:
    keys = list(keys)

    def has(prefix: str) -> bool:
        return any(key.startswith(prefix) for key in keys)

    if not has(UNET):
        raise BaseNotLoadable(
            f"{source} holds no UNet of Stable Diffusion",
            hint="give a full checkpoint; adapters are published, not served as a base",
        )
    for family, prefixes in _TEXTS.items():
        # What lacks the first of two encoders lacks weights; it is not of another family.
        if has(list(prefixes.values())[-1]):
            return family
    if has("conditioner.embedders.0.model."):
        raise BaseNotLoadable(
            f"{source} is an SDXL refiner, which is not served",
            hint="give the checkpoint of a base model; it draws the whole picture",
        )
    raise BaseNotLoadable(
        f"{source} holds no text encoder of Stable Diffusion",
        hint="give a full checkpoint of the sd1, sd2 or sdxl family, not a UNet alone",
    )


def _places(component: str, model: Any, *, family: str) -> Mapping[str, Place]:
    if component == "unet":
        return unet_places(model)
    if component == "vae":
        return vae_places(model)
    prefix = _TEXTS[family][component]
    is_open_clip = prefix.endswith(".model.")
    return (open_clip_places if is_open_clip else clip_places)(model, prefix=prefix)


def _prefixes(family: str) -> Mapping[str, str]:
    return {"unet": UNET, "vae": VAE, **_TEXTS[family]}


def _layer_count(model: Any) -> int:
    return int(getattr(model.config, "num_hidden_layers", 0) or 0)


def _is_last_layer(key: str, *, family: str, layers: int) -> bool:
    """Say whether a key is of the one layer that SD2 has and never looks at."""
    return family == "sd2" and key.startswith(f"{_SD2}transformer.resblocks.{layers}.")


def _elsewhere(keys: Iterable[str]) -> Iterator[str]:
    return (key for key in keys if key not in MARKS and not is_bookkeeping(key))


def _alphas(tensors: Tensors) -> tuple[float, ...]:
    found = tensors.get(_ALPHAS)
    if found is None or found.ndim != 1 or not found.is_floating_point():
        return ()
    return tuple(found.double().tolist())
