# SPDX-License-Identifier: Apache-2.0
"""Adapters that are not low-rank, for a tiny base: the files, and the base with them merged in.

Full changes of every layer, norm and bias are written in kohya's names; everything else by PEFT,
which then merges it into the weights itself.
"""

import copy
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import BOFTConfig, IA3Config, LoHaConfig, LoKrConfig, OFTConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

from tests.bases import kohya_stems, network_name, text_encoders

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
PEFT_CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "oft": (OFTConfig, {"oft_block_size": 4}),
    "boft": (BOFTConfig, {"boft_block_size": 4}),
    "ia3": (IA3Config, {"feedforward_modules": ["to_q"]}),
    "loha": (LoHaConfig, {"r": 24, "alpha": 24}),
    "lokr": (LoKrConfig, {"r": 64, "alpha": 64}),
}
HEAVY = ("full", "norms", *PEFT_CONFIGS)
"""Every kind that `write_heavy` writes."""


def write_heavy(pipe: Any, kind: str, *, folder: Path, seed: int) -> tuple[list[Path], Any]:
    """Write a random adapter of this kind; return its files, and the pipeline with it merged in.

    The given pipeline stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    merged = copy.copy(pipe)
    for name in (network_name(pipe), *text_encoders(pipe)):
        setattr(merged, name, copy.deepcopy(getattr(pipe, name)))
    torch.manual_seed(seed)
    if kind in PEFT_CONFIGS:
        return _write_peft(merged, kind, folder=folder), merged
    return [_write_kohya(merged, folder / f"{kind}.safetensors", is_whole=kind == "full")], merged


def _write_kohya(merged: Any, file: Path, *, is_whole: bool) -> Path:
    tensors: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for stem, own, parameter in _parameters(merged, is_whole=is_whole):
            diff = torch.randn(parameter.shape) * 0.1
            tensors[f"{stem}.{own}"] = diff
            parameter.add_(diff.to(parameter.dtype))
    save_file(tensors, str(file))
    return file


def _parameters(pipe: Any, *, is_whole: bool) -> Iterator[tuple[str, str, nn.Parameter]]:
    for stem, module in kohya_stems(pipe):
        is_norm = isinstance(module, nn.GroupNorm | nn.LayerNorm)
        is_layer = isinstance(module, nn.Linear | nn.Conv2d) and not stem.endswith("projection")
        weight, bias = ("w_norm", "b_norm") if is_norm else ("diff", "diff_b")
        if is_norm or (is_whole and is_layer):
            for own, name in (("weight", weight), ("bias", bias)):
                parameter = getattr(module, own)
                if parameter is not None:
                    yield stem, name, parameter


def _write_peft(merged: Any, kind: str, *, folder: Path) -> Sequence[Any]:
    make_config, options = PEFT_CONFIGS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = make_config(target_modules=list(ATTENTION), **options)
        name = network_name(merged)
        model: Any = get_peft_model(getattr(merged, name), config)
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                steps = torch.randn(parameter.shape) * 0.2
                centre = 1.0 if "ia3_l" in key or "boft_s" in key else 0.0
                parameter.data = (centre + steps).to(torch.float32)
        model.save_pretrained(str(folder))
        setattr(merged, name, model.double().merge_and_unload())
    return [folder / "adapter_model.safetensors", folder / "adapter_config.json"]
