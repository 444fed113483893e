# SPDX-License-Identifier: Apache-2.0
"""A single checkpoint file in the original key layout: which family it is, and what lies where.

In: a `.safetensors` file, then the empty models that its weights are for. Out: tensors by
component under plain names. Every key of a component is a weight, harmless by name, or a refusal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from tabard_server.engine.base.files.checkpoint_keys import (
    Place,
    clip_places,
    open_clip_places,
    text_places,
    transformer_places,
    unet_places,
    vae_places,
)
from tabard_server.engine.base.files.foreign import refuse_foreign
from tabard_server.engine.base.files.layouts import SD2_TEXT, UNPROJECTED, Layout, find_layout
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
_TRANSFORMER = "transformer."
"""What ComfyUI puts between the name of a text encoder and its weights."""
_OF_TEXTS = ("cond_stage_model.", "conditioner.", "text_encoders.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A file whose keys are those of a whole model.

    Attributes:
        path: The file.
        layout: Of which family it is, and what the keys of each component begin with.
        tensors: Its tensors by key; scaled back when they are looked at.
        words: What it says of itself: the texts of its header, and the marks among its keys.
        is_eight_bit: Whether weights were kept in eight bits.
    """

    path: Path
    layout: Layout
    tensors: Tensors
    words: Mapping[str, str]
    is_eight_bit: bool

    @property
    def family(self) -> str:
        """`sd1`, `sd2`, `sdxl`, `sd3` or `flux`, as its keys say."""
        return self.layout.family

    def lacks(self, components: Iterable[str]) -> tuple[str, ...]:
        """Return those of its components that it holds nothing of, where a file need not hold all.

        What is of a UNet is whole, or lacks weights.
        """
        if not self.layout.is_transformer:
            return ()
        return tuple(
            name
            for name, prefixes in self.layout.beside.items()
            if name in components and not any(key.startswith(prefixes) for key in self.tensors)
        )


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
        layout=find_layout(file.tensors.keys(), source=source),
        tensors=undo_scales(file.tensors, source=source),
        words={**file.metadata, **marks},
        is_eight_bit=any(tensor.dtype in FLOAT8 for tensor in file.tensors.values()),
    )


def arrange(
    checkpoint: Checkpoint,
    *,
    models: Mapping[str, Any],
    lent: Mapping[str, Tensors] = MappingProxyType({}),
) -> StoredModel:
    """Return the tensors of a checkpoint by the components that they are for.

    Args:
        checkpoint: The file.
        models: The components of its family.
        lent: Weights of components that it lacks, by component.

    Raises:
        BaseNotLoadable: A component's keys hold more than its weights, or the VAE is not there.
    """
    tensors, source, layout = checkpoint.tensors, str(checkpoint.path), checkpoint.layout
    if "vae" not in lent and not any(key.startswith(layout.vae) for key in tensors):
        raise BaseNotLoadable(
            f"{source} holds no VAE, so that nothing could be decoded",
            hint="give a checkpoint with its VAE in it, or load both with diffusers and save them "
            "as one folder",
        )
    components: dict[str, Tensors] = dict(lent)
    read: set[str] = set()
    for component, model in models.items():
        if component not in lent:
            found = _Arranged(tensors, _places(component, model, layout=layout))
            components[component] = found
            read |= found.keys_read
    others = [key for key in tensors if key not in read]
    denoiser = next(name for name in models if name not in layout.beside)
    # What begins with nothing in particular is the network's, once all others are taken out.
    for component, prefixes in [*layout.beside.items(), (denoiser, (layout.denoiser,))]:
        own = [key for key in others if key.startswith(prefixes)]
        layers = _layer_count(models[component]) if component in models else 0
        refuse_left_over(
            [
                key
                for key in own
                if not is_harmless(_own_name(key, prefixes), component=component)
                and not _is_last_layer(key, family=layout.family, layers=layers)
                and not (component == denoiser and not layout.denoiser and is_bookkeeping(key))
            ],
            component=component,
            source=source,
        )
        others = [key for key in others if not key.startswith(prefixes)]
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
            if (key := next((key for key in place.keys if key in tensors), "")) or place.unit
        }

    @property
    def keys_read(self) -> set[str]:
        """The keys of the file that hold them."""
        return {key for key, place in self._found.values() if not place.unit}

    def __getitem__(self, name: str) -> torch.Tensor:
        key, place = self._found[name]
        if place.unit:
            return torch.eye(place.unit)
        tensor = self._tensors[key]
        # What has other rows than the model says is left whole, and refused for its shape.
        if place.spans and tensor.ndim and tensor.shape[0] == place.rows:
            tensor = torch.cat([tensor[start:end] for start, end in place.spans])
        return tensor.T if place.is_transposed and tensor.ndim == 2 else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _places(component: str, model: Any, *, layout: Layout) -> Mapping[str, Place]:
    if component == "unet":
        return unet_places(model)
    if component == "transformer":
        return transformer_places(model, family=layout.family, prefix=layout.denoiser)
    if component == "vae":
        return vae_places(model, prefixes=layout.vae)
    prefix = layout.texts[component]
    if layout.is_transformer:
        is_projected = prefix not in UNPROJECTED
        return text_places(model, prefix=f"{prefix}{_TRANSFORMER}", is_projected=is_projected)
    is_open_clip = prefix.endswith(".model.")
    return (open_clip_places if is_open_clip else clip_places)(model, prefix=prefix)


def _own_name(key: str, prefixes: tuple[str, ...]) -> str:
    """Return what a key is called within its component."""
    prefix = next(one for one in prefixes if key.startswith(one))
    own = key.removeprefix(prefix)
    return own.removeprefix(_TRANSFORMER) if prefix.startswith("text_encoders.") else own


def _layer_count(model: Any) -> int:
    return int(getattr(model.config, "num_hidden_layers", 0) or 0)


def _is_last_layer(key: str, *, family: str, layers: int) -> bool:
    """Say whether a key is of the one layer that SD2 has and never looks at."""
    return family == "sd2" and key.startswith(f"{SD2_TEXT}transformer.resblocks.{layers}.")


def _elsewhere(keys: Iterable[str]) -> Iterator[str]:
    return (key for key in keys if key not in MARKS and not is_bookkeeping(key))


def _alphas(tensors: Tensors) -> tuple[float, ...]:
    found = tensors.get(_ALPHAS)
    if found is None or found.ndim != 1 or not found.is_floating_point():
        return ()
    return tuple(found.double().tolist())
