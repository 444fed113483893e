# SPDX-License-Identifier: Apache-2.0
"""From a folder or a file to the parts of a pipeline, every weight of which was read and checked.

In: a path, where a single file's configs are, and what the operator says. Out: the parts in
float32 on the CPU, and what there is to say of them. diffusers fills a weight that no file holds
with random numbers and goes on with a warning, and passes over what it does not know; hence this.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders import single_file_utils
from huggingface_hub import snapshot_download

from tabard_registry.intake.report.training_words import clip_skip, families, resolution
from tabard_server.engine.base.configs import (
    empty_models,
    kind_of_folder,
    read_index,
    read_json,
)
from tabard_server.engine.base.families import (
    KINDS,
    PIPELINE_OF_FAMILY,
    PipelineKind,
    family_of,
    vae_dtype,
)
from tabard_server.engine.base.files.checkpoint import arrange, open_checkpoint
from tabard_server.engine.base.files.component_files import read_components
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.old_configs import correct_old
from tabard_server.engine.base.schedule import Asked, make_scheduler
from tabard_server.engine.base.tokenizers import read_tokenizer
from tabard_server.engine.base.weights import fill
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.engine_port.loading_stage import Stage, Tell, tell_nobody

_CONFIG_FILES = ("*.json", "*/*.json", "*/*.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The parts of a loaded pipeline.

    Attributes:
        kind: Which pipeline they are of.
        models: By component.
        tokenizers: By component.
        scheduler: Whose configuration is that of the base.
        index: The `model_index.json`.
        source: Where they come from.
        family: `sd1`, `sd2` or `sdxl`.
        remarks: What an operator should know of it.
    """

    kind: PipelineKind
    models: Mapping[str, Any]
    tokenizers: Mapping[str, Any]
    scheduler: Any
    index: Mapping[str, Any]
    source: str
    family: str
    remarks: tuple[str, ...] = ()

    @property
    def is_sdxl(self) -> bool:
        """Whether it is SDXL's pipeline."""
        return self.kind.pipeline == "StableDiffusionXLPipeline"

    @property
    def is_empty_zero(self) -> bool:
        """Whether an empty negative prompt means zeros instead of an encoded nothing."""
        return self.is_sdxl and bool(self.index.get("force_zeros_for_empty_prompt", True))

    def pipeline(self) -> Any:
        """Return diffusers' own pipeline of these parts.

        Raises:
            BaseNotLoadable: They do not make one.
        """
        if self.is_sdxl:
            own: dict[str, Any] = {
                "force_zeros_for_empty_prompt": self.is_empty_zero,
                "add_watermarker": False,
            }
        else:
            own = {"safety_checker": None, "feature_extractor": None}
            own["requires_safety_checker"] = False
        parts = {**self.models, **self.tokenizers, "scheduler": self.scheduler}
        try:
            with warnings.catch_warnings(action="ignore"):
                return getattr(diffusers, self.kind.pipeline)(**parts, **own)
        # What the pipeline finds wrong with its parts comes as anything.
        except Exception as error:
            raise BaseNotLoadable(
                f"the components of {self.source} do not make a {self.kind.pipeline}",
                hint="take all components from one source, or save the pipeline again",
            ) from error


def open_pipeline(
    path: Path,
    *,
    config: str | None,
    asked: Asked,
    dtype: torch.dtype,
    tell: Tell = tell_nobody,
) -> Opened:
    """Load a diffusers folder or a single checkpoint.

    Args:
        path: Folder or file.
        config: For a file: a diffusers folder or hub id whose configs and tokenizers fit it; None:
            the ones that diffusers knows for its family.
        asked: What the operator says of it.
        dtype: What it will be served in.
        tell: Is told how far it is.

    Raises:
        BaseNotLoadable: It is not complete, not sound, or not served.
    """
    tell(Stage(name="reading the base's files"))
    if path.is_dir():
        index = read_index(path)
        kind, configs = kind_of_folder(index, source=str(path)), path
        models = empty_models(path, kind=kind)
        stored = read_components(path, models=models)
    else:
        checkpoint = open_checkpoint(path)
        configs = config_folder(config, tensors=checkpoint.tensors)
        kind = KINDS[PIPELINE_OF_FAMILY[checkpoint.family]]
        index = read_index(configs)
        _refuse_other_kind(kind_of_folder(index, source=str(configs)), kind=kind, configs=configs)
        models = empty_models(configs, kind=kind)
        stored = arrange(checkpoint, models=models)
    scheduler, remarks = make_scheduler(
        read_json(configs / "scheduler" / "scheduler_config.json"),
        stored=stored,
        is_lent=configs != path,
        asked=asked,
    )
    family = family_of(models, source=stored.source)
    remarks = (*_judge_words(stored, family=family, asked=asked), *remarks, *stored.remarks)
    for stage, (component, model) in zip(_stages(models), models.items(), strict=True):
        tell(stage)
        own = vae_dtype(model.config, family=family, dtype=dtype) if component == "vae" else dtype
        fill(
            model,
            stored.components[component],
            component=component,
            source=stored.source,
            dtype=own,
        )
        model.eval().requires_grad_(False)
    tokenizers = {
        name: read_tokenizer(configs / name, encoder=models[component])
        for component, name in zip(kind.text_encoders, kind.tokenizers, strict=True)
    }
    if kind.pipeline == "StableDiffusionPipeline":
        correct_old(scheduler, models["unet"], source=stored.source)
    return Opened(
        kind=kind,
        models=models,
        tokenizers=tokenizers,
        scheduler=scheduler,
        index=index,
        source=stored.source,
        family=family,
        remarks=(*remarks, *_size_remark(stored, models=models)),
    )


def config_folder(config: str | None, *, tensors: Mapping[str, Any]) -> Path:
    """Return the folder with the configs of a single file.

    Raises:
        BaseNotLoadable: It is not here and cannot be fetched.
    """
    if config is not None and Path(config).is_dir():
        return Path(config)
    try:
        source = config or str(
            single_file_utils.fetch_diffusers_config(tensors)["pretrained_model_name_or_path"]
        )
        return Path(snapshot_download(source, allow_patterns=list(_CONFIG_FILES)))
    # Whatever the network, the hub or its library has to say, the way out is the same.
    except Exception as error:
        raise BaseNotLoadable(
            f"the configs {config or 'of the family'} are not here and cannot be fetched",
            hint="name a diffusers folder whose configs and tokenizers fit the file by base_config",
        ) from error


def _stages(models: Mapping[str, Any]) -> Iterator[Stage]:
    """Say of each model, in turn, what its weights take in memory."""
    sizes = {
        name: sum(4 * one.numel() for one in model.parameters()) for name, model in models.items()
    }
    done = 0
    for component, size in sizes.items():
        yield Stage(
            name=f"loading {component}",
            size_bytes=size,
            done_bytes=done,
            total_bytes=sum(sizes.values()),
        )
        done += size


def _refuse_other_kind(found: PipelineKind, *, kind: PipelineKind, configs: Path) -> None:
    if found != kind:
        raise BaseNotLoadable(
            f"the configs in {configs} are of a {found.pipeline}, the file is of a {kind.pipeline}",
            hint="name a folder with the configs of the file's own family by base_config",
        )


def _judge_words(stored: StoredModel, *, family: str, asked: Asked) -> tuple[str, ...]:
    """Compare what the files say of family and clip skip with what they are."""
    if asked.family is not None and asked.family != family:
        raise BaseNotLoadable(
            f"{stored.source} is of the {family} family, and base_family says {asked.family}",
            hint="leave base_family out, or give a base of that family",
        )
    remarks = []
    others = [one for one in families(stored.words) if one.value != family]
    if others and asked.family is None:
        raise BaseNotLoadable(
            f"{stored.source} says {others[0].where}, and its weights are of the {family} family",
            hint="it may not be what it is called; if it is what you want, say base_family = "
            f"{family}",
        )
    if others:
        remarks.append(f"its family is {family}, as was asked; {others[0].where} disagrees")
    if (skip := clip_skip(stored.words)) is not None:
        remarks.append(
            f"it was trained with clip skip {skip}, which requests say as clip_skip {skip - 1}"
        )
    return tuple(remarks)


def _size_remark(stored: StoredModel, *, models: Mapping[str, Any]) -> tuple[str, ...]:
    said = resolution(stored.words)
    factor = 2 ** (len(models["vae"].config.block_out_channels) - 1)
    own = int(models["unet"].config.sample_size) * factor
    if said is None or said == (own, own):
        return ()
    return (
        f"it says that it was trained at {said[0]}x{said[1]}; requests that say nothing are drawn "
        f"at {own}x{own}, as its configuration says",
    )
