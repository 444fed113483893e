# SPDX-License-Identifier: Apache-2.0
"""Weights that were kept in fewer bits: the ones with a scale are scaled back, all others refused.

In: the tensors of one file. Out: the same without what belongs to the scales, each weight times
its own when it is looked at. ComfyUI's scaled fp8 is read, in both of its spellings.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tabard_server.engine.base.files.tensor_file import Tensors
from tabard_server.engine_port.errors import BaseNotLoadable

FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
"""Types of eight bits whose numbers mean what they say, but for a scale."""

_SCALES = (".scale_weight", ".weight_scale")
# A scale of what a layer reads, for hardware that multiplies in eight bits; the marks of a file.
_FOR_HARDWARE = re.compile(r"(?:^|.*\.)(?:scale_input|input_scale|scaled_fp8)$")
_RECIPE = ".comfy_quant"
_RECIPES = ("float8_e4m3fn", "float8_e5m2")
_RECIPE_FIELDS = frozenset({"format", "full_precision_matrix_mult"})
_FOREIGN: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "bitsandbytes (nf4, fp4 or int8)",
        re.compile(r".*\.(?:absmax|quant_map|nested_absmax|quant_state\..*|SCB|weight_format)$"),
    ),
    ("GPTQ, AWQ or SVDQuant", re.compile(r".*\.(?:qweight|qzeros|g_idx|wscales)$")),
    ("quanto", re.compile(r".*\.(?:weight\._data|weight\._scale|weight_qtype)$")),
    ("nvfp4 or mxfp", re.compile(r".*\.(?:weight_scale_2|block_scale|weight_s_rel)$")),
    ("codebooks", re.compile(r".*\.(?:weight_codebook|codebook)$")),
)


class ScaledTensors(Mapping[str, torch.Tensor]):
    """Tensors of which some have a scale; multiplied when they are looked at, in float32."""

    def __init__(self, tensors: Tensors, *, scales: Mapping[str, float]) -> None:
        self._tensors = tensors
        self._scales = scales

    def __getitem__(self, key: str) -> torch.Tensor:
        found = self._tensors[key]
        scale = self._scales.get(key)
        return found if scale is None else found.to(torch.float32) * scale

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def undo_scales(tensors: Tensors, *, source: str) -> Tensors:
    """Return the weights as they were before somebody scaled them into eight bits.

    A scale that belongs to no weight stays among the keys, so that whoever looks for what is left
    over finds it.

    Raises:
        BaseNotLoadable: They are quantised in a way that is not read, or a scale is none.
    """
    _refuse_foreign(tensors, source=source)
    scales: dict[str, float] = {}
    done: set[str] = set()
    for key, tensor in tensors.items():
        target = _target_of(key)
        if target is not None and target in tensors:
            if target in scales:
                raise BaseNotLoadable(
                    f"{source} holds two scales of {target}", hint="convert the checkpoint again"
                )
            if not tensors[target].is_floating_point():
                kind = dtype_name(tensors[target])
                raise _quantised(kind, source=source, shown_by=f"the scale of {target}")
            scales[target] = _number(key, tensor, source=source)
            done.add(key)
        elif _FOR_HARDWARE.match(key):
            done.add(key)
        elif key.endswith(_RECIPE):
            _check_recipe(key, tensor, source=source)
            done.add(key)
    if not done:
        return tensors
    kept = {key: tensor for key, tensor in tensors.items() if key not in done}
    return ScaledTensors(kept, scales=scales)


def quantised_by(keys: Iterator[str]) -> tuple[str, str] | None:
    """Return the name of a quantisation that is not read, and the key that shows it."""
    for key in keys:
        for name, pattern in _FOREIGN:
            if pattern.match(key):
                return name, key
    return None


def refuse_quantised(config: Mapping[str, Any], *, source: str) -> None:
    """Refuse a component whose configuration says that it was quantised.

    Raises:
        BaseNotLoadable: It does.
    """
    said = config.get("quantization_config")
    if said is not None:
        method = said.get("quant_method", "an unknown way") if isinstance(said, dict) else said
        raise _quantised(str(method), source=source, shown_by="quantization_config")


def dtype_name(tensor: torch.Tensor) -> str:
    """Return a tensor's type as people write it."""
    return str(tensor.dtype).removeprefix("torch.")


def _refuse_foreign(tensors: Tensors, *, source: str) -> None:
    if (found := quantised_by(iter(tensors))) is not None:
        raise _quantised(found[0], source=source, shown_by=found[1])


def _quantised(name: str, *, source: str, shown_by: str) -> BaseNotLoadable:
    return BaseNotLoadable(
        f"{source} is quantised by {name[:60]}, as {shown_by} shows, which is not read",
        hint="give the checkpoint that it was made from: float32, float16, bfloat16, or ComfyUI's "
        "fp8",
    )


def _target_of(key: str) -> str | None:
    for ending in _SCALES:
        if key.endswith(ending):
            return f"{key.removesuffix(ending)}.weight"
    return None


def _number(key: str, tensor: torch.Tensor, *, source: str) -> float:
    if tensor.numel() != 1 or not tensor.is_floating_point():
        raise BaseNotLoadable(
            f"{source}: {key} is {list(tensor.shape)} in {dtype_name(tensor)}; a scale is read "
            "when it is one number for the whole weight",
            hint="give the checkpoint that it was made from",
        )
    value = float(tensor.float())
    if not 0 < value < float("inf"):
        raise BaseNotLoadable(
            f"{source}: the scale {key} is {value}", hint="copy or download the file again"
        )
    return value


def _check_recipe(key: str, tensor: torch.Tensor, *, source: str) -> None:
    try:
        recipe = json.loads(bytes(tensor.to(torch.uint8).flatten().tolist()))
        name = str(recipe["format"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BaseNotLoadable(
            f"{source}: {key} does not say how the layer was quantised",
            hint="give the checkpoint that it was made from",
        ) from error
    if name not in _RECIPES or not recipe.keys() <= _RECIPE_FIELDS:
        raise _quantised(f"ComfyUI's {name}", source=source, shown_by=key)
