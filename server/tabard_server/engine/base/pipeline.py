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

from tabard_registry.intake.report.training_words import clip_skip, families, resolution
from tabard_server.engine.base.configs import (
    empty_models,
    kind_of_folder,
    read_index,
    read_json,
)
from tabard_server.engine.base.families import PipelineKind, family_of
from tabard_server.engine.base.files.component_files import read_components
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.schedules.old_configs import correct_old
from tabard_server.engine.base.schedules.schedule import Asked, make_scheduler
from tabard_server.engine.base.single_file import read_single_file
from tabard_server.engine.base.tokenizers import read_tokenizer
from tabard_server.engine.base.weights import fill
from tabard_server.engine.networks.network import Network
from tabard_server.engine.networks.precision import Precision, kept_dtypes
from tabard_server.engine_port.errors import BaseNotLoadable
from tabard_server.engine_port.loading_stage import Stage, Tell, tell_nobody

_ZEROS = "force_zeros_for_empty_prompt"


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
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        precision: What it will be served in.
        remarks: What an operator should know of it.
    """

    kind: PipelineKind
    models: Mapping[str, Any]
    tokenizers: Mapping[str, Any]
    scheduler: Any
    index: Mapping[str, Any]
    source: str
    family: str
    precision: Precision
    remarks: tuple[str, ...] = ()

    @property
    def is_empty_zero(self) -> bool:
        """Whether an empty negative prompt means zeros instead of an encoded nothing."""
        return self.kind.has_zero_text and bool(self.index.get(_ZEROS, True))

    def pipeline(self) -> Any:
        """Return diffusers' own pipeline of these parts.

        Raises:
            BaseNotLoadable: They do not make one.
        """
        own = dict(self.kind.options)
        if self.kind.has_zero_text:
            own[_ZEROS] = self.is_empty_zero
        for name in self.kind.absent:
            own |= {name: None, self.kind.tokenizer_of(name): None}
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
    dtype: torch.dtype | None,
    storage: torch.dtype | None = None,
    tell: Tell = tell_nobody,
) -> Opened:
    """Load a diffusers folder or a single checkpoint.

    Args:
        path: Folder or file.
        config: For a file: a diffusers folder or hub id whose configs and tokenizers fit it; None:
            the ones that diffusers knows for its family.
        asked: What the operator says of it.
        dtype: What it will be served in; None: float16, or bfloat16 where that overflows.
        storage: What most weights of its network will be kept in; None: the same.
        tell: Is told how far it is.

    Raises:
        BaseNotLoadable: It is not complete, not sound, or not served.
    """
    tell(Stage(name="reading the base's files"))
    beside: tuple[str, ...] = ()
    if path.is_dir():
        index = read_index(path)
        kind, configs = kind_of_folder(index, source=str(path)), path
        models = empty_models(path, kind=kind)
        stored = read_components(path, models=models)
    else:
        file = read_single_file(path, config=config)
        index, kind, configs = file.index, file.kind, file.configs
        models, stored, beside = file.models, file.stored, file.remarks
    scheduler, remarks = make_scheduler(
        read_json(configs / "scheduler" / "scheduler_config.json"),
        stored=stored,
        is_lent=configs != path,
        asked=asked,
    )
    family = family_of(kind, models, source=stored.source)
    judged = _judge_words(stored, family=family, asked=asked)
    remarks = (*judged, *remarks, *stored.remarks, *beside)
    narrow = torch.bfloat16 if kind.is_flow else torch.float16
    precision = Precision(dtype or narrow, storage)
    _fill(models, stored=stored, family=family, precision=precision, tell=tell)
    tokenizers = {
        (name := kind.tokenizer_of(component)): read_tokenizer(
            configs / name, encoder=models[component]
        )
        for component in kind.text_encoders
    }
    if kind.was_saved_otherwise:
        correct_old(scheduler, models["unet"], source=stored.source)
    size = _size_remark(stored, network=kind.network(models[kind.denoiser]), vae=models["vae"])
    return Opened(
        kind=kind,
        models=models,
        tokenizers=tokenizers,
        scheduler=scheduler,
        index=index,
        source=stored.source,
        family=family,
        precision=precision,
        remarks=(*remarks, *size),
    )


def _fill(
    models: Mapping[str, Any],
    *,
    stored: StoredModel,
    family: str,
    precision: Precision,
    tell: Tell,
) -> None:
    """Give every model its weights, and tell of each."""
    for stage, (component, model) in zip(_stages(models), models.items(), strict=True):
        tell(stage)
        fill(
            model,
            stored.components[component],
            component=component,
            source=stored.source,
            kept=kept_dtypes(component, model, family=family, precision=precision),
        )
        model.eval().requires_grad_(False)


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


def _size_remark(stored: StoredModel, *, network: Network, vae: Any) -> tuple[str, ...]:
    said = resolution(stored.words)
    own = network.native_side * 2 ** (len(vae.config.block_out_channels) - 1)
    if said is None or said == (own, own):
        return ()
    return (
        f"it says that it was trained at {said[0]}x{said[1]}; requests that say nothing are drawn "
        f"at {own}x{own}, as its configuration says",
    )
