# SPDX-License-Identifier: Apache-2.0
"""Writes `table.json.gz`: the modules of each family at full size, with their foreign names.

Run `python -m tests.golden.full_size.make_table` after a change of diffusers or transformers that
`tests/registry/intake/test_golden_names.py` complains of. Needs no weights and no network.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from diffusers.models.normalization import RMSNorm
from torch import nn

from tests.golden.full_size import transformers
from tests.golden.full_size.models import FAMILIES, build, classic, original_by_module
from tests.golden.full_size.table import FILE


def main() -> None:
    """Write the file; equal models make equal bytes."""
    document = {family: list(read_rows(family)) for family in FAMILIES}
    document |= {model: list(read_transformer(model)) for model in transformers.MODELS}
    text = json.dumps(document, separators=(",", ":")).encode()
    FILE.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    print({family: len(found) for family, found in document.items()}, FILE.stat().st_size)


def read_rows(family: str) -> Iterator[list[Any]]:
    """Yield one row for each module that has weights, embeddings of tokens and places aside."""
    models = build(family)
    originals = original_by_module(family, unet=models["unet"])
    prefixes = _prefixes(list(models))
    for component, model in models.items():
        for name, module in model.named_modules():
            if not isinstance(module, nn.Linear | nn.Conv2d | nn.GroupNorm | nn.LayerNorm):
                continue
            full = classic(name, component=component)
            prefix = prefixes[component]
            original = originals[name] if component == "unet" else ""
            yield [
                component,
                full,
                *_shape(module),
                module.bias is not None,
                prefix + full.replace(".", "_"),
                prefix + original.replace(".", "_") if original else "",
            ]


def read_transformer(model: str) -> Iterator[list[Any]]:
    """Yield the same rows for a transformer and its texts, each with its rows of the original."""
    models = transformers.build(model)
    pieces = transformers.original_pieces(model, transformer=models["transformer"])
    for component, built in models.items():
        is_t5 = getattr(built.config, "model_type", "") == "t5"
        for name, module in built.named_modules():
            if not isinstance(module, _WITH_WEIGHTS) or not isinstance(
                getattr(module, "weight", None), nn.Parameter
            ):
                continue
            is_plain = component == "transformer" or is_t5
            full = name if is_plain else classic(name, component=component)
            prefix = _TRANSFORMER_PREFIXES["t5" if is_t5 else component]
            original, spans = pieces[name] if component == "transformer" else ("", [])
            yield [
                component,
                full,
                *_shape(module),
                getattr(module, "bias", None) is not None,
                prefix + full.replace(".", "_"),
                prefix + original.replace(".", "_") if original else "",
                original,
                spans,
            ]


_WITH_WEIGHTS = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.RMSNorm, RMSNorm)
_TRANSFORMER_PREFIXES = {
    "transformer": "lora_unet_",
    "text_encoder": "lora_te1_",
    "text_encoder_2": "lora_te2_",
    "t5": "lora_te3_",
}
"""Kohya's scripts call the T5 the third, also where there are two."""


def _prefixes(components: list[str]) -> dict[str, str]:
    """Kohya's scripts count text encoders where there are two."""
    if len(components) == 2:
        return {"unet": "lora_unet_", "text_encoder": "lora_te_"}
    return {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}


def _shape(module: nn.Module) -> list[Any]:
    if isinstance(module, nn.Conv2d):
        kernel = list(module.kernel_size)
        return ["conv2d", module.in_channels, module.out_channels, kernel]
    if isinstance(module, nn.Linear):
        return ["linear", module.in_features, module.out_features, [1, 1]]
    assert isinstance(module.weight, nn.Parameter)
    width = int(module.weight.shape[0])
    return ["norm", width, width, [1, 1]]


if __name__ == "__main__":
    main()
