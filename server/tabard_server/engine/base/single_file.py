# SPDX-License-Identifier: Apache-2.0
"""A single checkpoint file with what it does not hold: configurations, tokenizers, other weights.

In: a file, and a folder or hub id beside it. Out: empty models, and their weights by component.
Files of UNets hold all weights. Most of transformers hold the transformer alone, or no T5: the
folder beside them then holds the weights of the others as well.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusers.loaders import single_file_utils
from huggingface_hub import snapshot_download

from tabard_server.engine.base.configs import empty_models, kind_of_folder, read_index
from tabard_server.engine.base.families import KINDS, PIPELINE_OF_FAMILY, PipelineKind
from tabard_server.engine.base.files.checkpoint import Checkpoint, arrange, open_checkpoint
from tabard_server.engine.base.files.component_files import has_weights, read_components
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine_port.errors import BaseNotLoadable

_CONFIG_FILES = ("*.json", "*/*.json", "*/*.txt", "*/*.model")
_HALVED = "*.fp16*"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFile:
    """A file and what stands beside it.

    Attributes:
        kind: What kind of pipeline both make.
        configs: The folder with the configurations.
        index: Its `model_index.json`.
        models: Empty, by component.
        stored: Their weights.
        remarks: What an operator should know of how they were put together.
    """

    kind: PipelineKind
    configs: Path
    index: dict[str, Any]
    models: dict[str, Any]
    stored: StoredModel
    remarks: tuple[str, ...] = ()


def read_single_file(path: Path, *, config: str | None) -> SingleFile:
    """Open a file, and the folder that fits it.

    Args:
        path: The file.
        config: A diffusers folder or hub id; None: the one that diffusers knows for its family.

    Raises:
        BaseNotLoadable: The file is no base, or nobody holds what it lacks.
    """
    checkpoint = open_checkpoint(path)
    whole = KINDS[PIPELINE_OF_FAMILY[checkpoint.family]]
    lacking = checkpoint.lacks(whole.models)
    configs = config_folder(config, tensors=checkpoint.tensors, weights=lacking)
    index = read_index(configs)
    kind = kind_of_folder(index, source=str(configs))
    _refuse_other_kind(kind, kind=whole, configs=configs)
    lent = [name for name in lacking if name in kind.models]
    nowhere = {name for name in lent if not has_weights(configs / name)}
    absent = nowhere & kind.optional
    _refuse_nowhere(sorted(nowhere - absent), lent=lent, checkpoint=checkpoint, configs=configs)
    kind = kind.without(absent)
    models = empty_models(configs, kind=kind)
    found = read_components(configs, models={n: models[n] for n in lent if n not in absent})
    stored = arrange(checkpoint, models=models, lent=found.components)
    remarks = [f"neither {path} nor {configs} holds its {name}: without it" for name in absent]
    if found.components:
        remarks.append(f"its {', '.join(found.components)} came from {configs}")
    return SingleFile(
        kind=kind,
        configs=configs,
        index=index,
        models=models,
        stored=replace(stored, is_eight_bit=stored.is_eight_bit or found.is_eight_bit),
        remarks=tuple(remarks),
    )


def config_folder(
    config: str | None, *, tensors: Mapping[str, Any], weights: Collection[str] = ()
) -> Path:
    """Return the folder with the configs of a single file.

    Args:
        config: A folder or hub id; None: the one that diffusers knows for such keys.
        tensors: The file's, by key.
        weights: Components of which it must hold the weights too; fetched in full precision.

    Raises:
        BaseNotLoadable: It is not here and cannot be fetched.
    """
    if config is not None and Path(config).is_dir():
        return Path(config)
    wanted = [*_CONFIG_FILES, *(f"{name}/*.safetensors" for name in weights)]
    try:
        source = config or str(
            single_file_utils.fetch_diffusers_config(tensors)["pretrained_model_name_or_path"]
        )
        return Path(snapshot_download(source, allow_patterns=wanted, ignore_patterns=[_HALVED]))
    # Whatever the network, the hub or its library has to say, the way out is the same.
    except Exception as error:
        raise BaseNotLoadable(
            f"the configs {config or 'of the family'} are not here and cannot be fetched",
            hint="name a diffusers folder whose configs and tokenizers fit the file by "
            f"base_config{_weights_too(weights)}",
        ) from error


def _weights_too(weights: Collection[str]) -> str:
    if not weights:
        return ""
    return f"; the file lacks {', '.join(weights)}, so that it must hold the weights of those too"


def _refuse_other_kind(found: PipelineKind, *, kind: PipelineKind, configs: Path) -> None:
    if found.pipeline != kind.pipeline:
        raise BaseNotLoadable(
            f"the configs in {configs} are of a {found.pipeline}, the file is of a {kind.pipeline}",
            hint="name a folder with the configs of the file's own family by base_config",
        )


def _refuse_nowhere(
    names: Collection[str], *, lent: Collection[str], checkpoint: Checkpoint, configs: Path
) -> None:
    """Say what a folder must hold beside a file that holds no more than it does."""
    if names:
        raise BaseNotLoadable(
            f"{checkpoint.path} does not hold the {checkpoint.family} base's {', '.join(lent)}, and"
            f" {configs} holds no weights of {', '.join(names)}",
            hint="name a diffusers folder by base_config that holds, beside configs and "
            f"tokenizers, the weights of {', '.join(lent)} in safetensors",
        )
