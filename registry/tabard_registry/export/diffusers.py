# SPDX-License-Identifier: Apache-2.0
"""A LoRA as diffusers' `save_lora_weights` writes it: PEFT's names, and its configuration.

From that, in the header, rank and alpha of every layer are read back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tabard_registry.content.canonical import Canonical, Layer
from tabard_registry.export.tensors import CannotHold, Tensors, alpha_of, factors, pointed
from tabard_registry.grammar import counted
from tabard_registry.intake.dialects.module_names import TEXT_PREFIX
from tabard_registry.intake.methods.peft_config import HEADER_KEY
from tabard_registry.release.manifest import Manifest


def write(canonical: Canonical, manifest: Manifest) -> tuple[Tensors, dict[str, str]]:
    """Write the layers.

    Raises:
        CannotHold: There is something that is not low-rank, a magnitude of the inputs, or a word.
    """
    if manifest.tokens:
        raise CannotHold(f"it teaches {manifest.tokens[0].token!r} beside its layers")
    if canonical.changes:
        first = canonical.changes[0]
        count = counted(len(canonical.changes), "change", verbs=("is", "are"))
        raise CannotHold(f"{count} not low-rank, {first.parameter} ({first.method})")
    tensors: Tensors = {}
    for layer in canonical.layers:
        stem = f"{layer.component}.{layer.module}"
        down, up = factors(layer, family=manifest.base_family)
        tensors[f"{stem}.lora_A.weight"] = np.ascontiguousarray(down)
        tensors[f"{stem}.lora_B.weight"] = np.ascontiguousarray(up)
        if layer.magnitude is not None:
            tensors[f"{stem}.lora_magnitude_vector"] = _magnitude(layer, is_kernel=up.ndim > 2)
    config: dict[str, Any] = {}
    for component in dict.fromkeys(layer.component for layer in canonical.layers):
        own = [layer for layer in canonical.layers if layer.component == component]
        config |= {f"{component}.{k}": v for k, v in _configuration(own).items()}
    return tensors, {"format": "pt", HEADER_KEY: json.dumps(config, sort_keys=True)}


def _magnitude(layer: Layer, *, is_kernel: bool) -> Any:
    assert layer.magnitude is not None
    if layer.magnitude_axis != "outputs":
        raise CannotHold(f"the magnitude of {layer.module} scales its inputs")
    found = np.ascontiguousarray(layer.magnitude)
    return pointed(found.reshape(1, -1)) if is_kernel else found


def _configuration(layers: Sequence[Layer]) -> Mapping[str, Any]:
    """Return PEFT's configuration: the commonest rank and alpha, and every exception by name."""
    alphas = {_pattern(x): alpha_of(x.scale, rank=x.rank) for x in layers}
    ranks = {_pattern(x): x.rank for x in layers}
    alpha, rank = (Counter(table.values()).most_common(1)[0][0] for table in (alphas, ranks))
    with_magnitude = {layer.magnitude is not None for layer in layers}
    if len(with_magnitude) > 1:
        raise CannotHold("some of its layers have a magnitude and some have none")
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {name: found for name, found in ranks.items() if found != rank},
        "alpha_pattern": {name: found for name, found in alphas.items() if found != alpha},
        "target_modules": sorted(name.strip("^$") for name in ranks),
        "bias": "none",
        "use_rslora": False,
        "use_dora": with_magnitude == {True},
    }


def _pattern(layer: Layer) -> str:
    """Return what PEFT finds a module by: the whole name, but for what some transformers lack."""
    if layer.module.startswith(TEXT_PREFIX):
        return f"{layer.module.removeprefix(TEXT_PREFIX)}$"
    return f"^{layer.module}$"
