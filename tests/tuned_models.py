# SPDX-License-Identifier: Apache-2.0
"""Fine-tuned copies of tiny bases with changes that are known to the last bit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from tabard_server.extraction.extraction import extract
from tabard_server.extraction.outcome import ExtractionOutcome
from tabard_server.extraction.settings import ComparisonSettings, ExtractionSettings, RankRule
from tests.bases import denoiser_of, kohya_stems, load_pipeline, text_encoders

Change = Callable[[Any], None]
QUICK = ComparisonSettings(prompts=("a red circle",), steps=2, pixels=32)
"""A comparison of one small picture."""


def make_tuned_model(base: Path, folder: Path, change: Change) -> Path:
    """Write a copy of a base that a function has changed; return the folder."""
    pipe = load_pipeline(base)
    with torch.no_grad():
        change(pipe)
    pipe.save_pretrained(str(folder))
    return folder


def add_low_rank(rank: int, *, scale: float = 0.2) -> Change:
    """Return a change of every linear layer and convolution of UNet and text encoders."""

    def change(pipe: Any) -> None:
        generator = torch.Generator().manual_seed(rank)
        for module in _matrices(pipe):
            outputs, inputs, *kernel = module.weight.shape
            up = torch.randn(outputs, rank, generator=generator) * scale
            columns = inputs * int(torch.tensor(kernel).prod()) if kernel else inputs
            down = torch.randn(rank, columns, generator=generator) * scale
            module.weight.add_((up @ down).reshape(module.weight.shape))

    return change


def add_everywhere(scale: float) -> Change:
    """Return a change of every parameter that an adapter carries: weights, norms, biases."""

    def change(pipe: Any) -> None:
        generator = torch.Generator().manual_seed(5)
        for model in (denoiser_of(pipe), *text_encoders(pipe).values()):
            for name, weight in model.named_parameters():
                if "embedding.weight" not in name:
                    weight.add_(torch.randn(weight.shape, generator=generator) * scale)

    return change


def settings(
    *,
    rank: int | None = None,
    energy: float | None = None,
    rank_max: int = 128,
    comparison: ComparisonSettings | None = None,
    **choice: Any,
) -> ExtractionSettings:
    """Return settings without a comparison, unless one is given."""
    ranks = RankRule(rank=rank, energy=energy, rank_max=rank_max)
    return ExtractionSettings(ranks=ranks, comparison=comparison, **choice)


def extracted(base: Path, tuned: Path, out: Path, **choice: Any) -> ExtractionOutcome:
    """Extract with these settings."""
    return extract(str(tuned), base=str(base), out=out, settings=settings(**choice))


def deltas_of(file: Path, base: Path) -> dict[str, torch.Tensor]:
    """Return kohya's stem to the whole change that a file makes of that module's weight."""
    tensors = load_file(str(file))
    homes = modules_of(base)
    found = {}
    for key, down in tensors.items():
        stem, _, part = key.partition(".")
        if part == "lora_down.weight":
            up = tensors[f"{stem}.lora_up.weight"].double().flatten(1)
            scale = float(tensors[f"{stem}.alpha"]) / down.shape[0]
            weight: Any = homes[stem].weight
            found[stem] = (up @ down.double().flatten(1) * scale).reshape(weight.shape)
        elif part == "diff":
            found[stem] = down.double()
    return found


def real_deltas(base: Path, tuned: Path) -> dict[str, torch.Tensor]:
    """Return the same of the tuned model itself, for every linear layer and convolution."""
    before, after = modules_of(base), modules_of(tuned)
    return {
        stem: (module.weight.double() - before[stem].weight.double()).detach()
        for stem, module in after.items()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }


def modules_of(folder: Path) -> dict[str, Any]:
    """Return the modules of a pipeline by kohya's names; a projection never stood in a model."""
    return {
        stem.replace("text_model_text_projection", "text_projection"): module
        for stem, module in kohya_stems(load_pipeline(folder))
    }


def _matrices(pipe: Any) -> Iterator[Any]:
    for model in (denoiser_of(pipe), *text_encoders(pipe).values()):
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                yield module
