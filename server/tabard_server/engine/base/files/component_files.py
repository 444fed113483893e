# SPDX-License-Identifier: Apache-2.0
"""The weight files of a diffusers folder, one component after another.

In: a folder, and the empty models that its weights are for. Out: tensors by component under plain
names. Every tensor is a weight, harmless by name, or a refusal. Indexes of shards are not needed:
the files say their number themselves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tabard_registry.intake.profile import DENOISERS
from tabard_server.engine.base.files.leftovers import is_harmless, refuse_left_over
from tabard_server.engine.base.files.scales import FLOAT8, undo_scales
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.files.tensor_file import Tensors, open_tensor_file, unreadable
from tabard_server.engine.base.names import TEXT_PREFIX, plain_weights
from tabard_server.engine_port.errors import BaseNotLoadable

_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?P<variant>\.fp16)?(?:-(?P<part>\d+)-of-(?P<parts>\d+))?"
    r"(?P<late>\.fp16)?\.safetensors"
)
_PICKLED = re.compile(r".*\.(?:bin|pt|pth|ckpt)")
# What older versions of diffusers call the attention of a VAE.
_OLD_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    path: Path
    is_half: bool
    part: int
    parts: int


def read_components(folder: Path, *, models: Mapping[str, Any]) -> StoredModel:
    """Map the weights of a folder's components into memory.

    Raises:
        BaseNotLoadable: A file is missing or broken, or holds more than the weights.
    """
    components: dict[str, Tensors] = {}
    words: dict[str, str] = {}
    is_eight_bit = False
    for component, model in models.items():
        tensors: dict[str, torch.Tensor] = {}
        for path in weight_files(folder / component):
            file = open_tensor_file(path)
            words.update(file.metadata if component in DENOISERS else {})
            _add(file.tensors, tensors, path=path)
        source = f"{folder / component}"
        is_eight_bit |= any(tensor.dtype in FLOAT8 for tensor in tensors.values())
        found = undo_scales(tensors, source=source)
        wanted = plain_weights(model)
        others = [
            key for key in found if key not in wanted and not is_harmless(key, component=component)
        ]
        refuse_left_over(others, component=component, source=source)
        components[component] = found
    return StoredModel(
        source=str(folder), components=components, words=words, is_eight_bit=is_eight_bit
    )


def has_weights(folder: Path) -> bool:
    """Say whether a component's folder holds anything that may be weights."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return any(_WEIGHTS.fullmatch(name) or _PICKLED.fullmatch(name) for name in names)


def weight_files(folder: Path) -> Sequence[Path]:
    """Return the weight files of one component; full precision where both are there.

    Raises:
        BaseNotLoadable: There are none, not all of them, or those of two models.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error
    shards = [shard for name in names if (shard := _shard(folder / name)) is not None]
    full = [shard for shard in shards if not shard.is_half]
    chosen = full or shards
    if not chosen:
        pickled = next((name for name in names if _PICKLED.fullmatch(name)), None)
        raise BaseNotLoadable(
            f"{folder} holds no weights in safetensors" + (f", only {pickled}" if pickled else ""),
            hint="save the pipeline again with save_pretrained(…, safe_serialization=True); "
            "pickled weights are not read",
        )
    whole = [shard for shard in chosen if shard.parts == 0]
    if whole and len(chosen) > 1:
        # Which of them is read depends on the library and on its version.
        raise BaseNotLoadable(
            f"{folder} holds weights twice, in {whole[0].path.name} and in "
            f"{next(shard for shard in chosen if shard != whole[0]).path.name}",
            hint="remove what was left behind by another save, or save the pipeline again",
        )
    if whole:
        return [whole[0].path]
    parts = max(shard.parts for shard in chosen)
    missing = set(range(1, parts + 1)) - {shard.part for shard in chosen}
    if missing or len(chosen) != parts:
        raise BaseNotLoadable(
            f"{folder} holds {len(chosen)} of {parts} weight files"
            + (f"; number {min(missing)} is not there" if missing else ""),
            hint="copy or download the folder again",
        )
    return [shard.path for shard in chosen]


def _shard(path: Path) -> _Shard | None:
    known = _WEIGHTS.fullmatch(path.name)
    if known is None:
        return None
    return _Shard(
        path=path,
        is_half=bool(known["variant"] or known["late"]),
        part=int(known["part"] or 0),
        parts=int(known["parts"] or 0),
    )


def _add(found: Tensors, tensors: dict[str, torch.Tensor], *, path: Path) -> None:
    for key, tensor in found.items():
        name = _plain(key)
        if name in tensors:
            raise BaseNotLoadable(
                f"{path} holds {key}, which was read before",
                hint="remove what was left behind by another save, or save the pipeline again",
            )
        tensors[name] = tensor


def _plain(key: str) -> str:
    key = key.removeprefix(TEXT_PREFIX)
    if ".attentions." in key:
        for old, new in _OLD_NAMES.items():
            key = key.replace(old, new)
    return key
