# SPDX-License-Identifier: Apache-2.0
"""Sound files of every dialect and method, for a base of a few modules: what is bent begins here.

Numbers are multiples of 1/16 below 1, so that every element type holds them and products are exact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tabard_registry import BaseProfile
from tests.fuzz.document import Document, Tensor, encode
from tests.registry.fakes import sd_profile

BLOCK = "down_blocks.0.attentions.0"
ATTENTION = f"{BLOCK}.transformer_blocks.0.attn2"
LINEAR = (("unet", f"{ATTENTION}.to_q"), ("unet", f"{ATTENTION}.to_k"))
OUT = ("unet", f"{ATTENTION}.to_out.0")
POINT = ("unet", f"{BLOCK}.proj_in")
CONV = ("unet", "down_blocks.0.resnets.0.conv1")
TEXT = (
    ("text_encoder", "text_model.encoder.layers.0.self_attn.q_proj"),
    ("text_encoder", "text_model.encoder.layers.0.mlp.fc1"),
)
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "target_modules": ["to_q"]}

Target = tuple[str, str]
Parts = dict[str, tuple[int, ...]]
"""Part of a layer to its shape."""


def base_profile() -> BaseProfile:
    """Return the base that every seed is for."""
    return sd_profile(with_resnets=True)


PROFILE = base_profile()


def sizes(target: Target) -> tuple[int, int, tuple[int, ...]]:
    """Return outputs, inputs and kernel of a module; no kernel for a linear one."""
    shape = PROFILE.modules[target[0]][target[1]]
    return shape.outputs, shape.inputs, shape.kernel if shape.kind == "conv2d" else ()


def lora(target: Target, *, rank: int = 2, core: bool = False) -> Parts:
    """Return the parts of a LoRA; with a Tucker core where it is asked for."""
    outputs, inputs, kernel = sizes(target)
    ones = (1,) * len(kernel)
    parts: Parts = {
        "lora_down.weight": (rank, inputs, *(ones if core else kernel)),
        "lora_up.weight": (outputs, rank, *ones),
    }
    return parts | ({"lora_mid.weight": (rank, rank, *kernel)} if core else {})


def loha(target: Target, *, rank: int = 2, core: bool = False) -> Parts:
    """Return the parts of a LoHa."""
    outputs, inputs, kernel = sizes(target)
    if core:
        halves = {"a": (rank, outputs), "b": (rank, inputs)}
        cores: Parts = {f"hada_t{n}": (rank, rank, *kernel) for n in (1, 2)}
    else:
        halves = {"a": (outputs, rank), "b": (rank, inputs * int(np.prod(kernel)))}
        cores = {}
    return {f"hada_w{n}_{half}": shape for n in (1, 2) for half, shape in halves.items()} | cores


def lokr(target: Target, *, is_whole: bool) -> Parts:
    """Return the parts of a LoKr whose left half is whole, and the right one too or not."""
    outputs, inputs, _ = sizes(target)
    if is_whole:
        return {"lokr_w1": (2, 2), "lokr_w2": (outputs // 2, inputs // 2)}
    return {"lokr_w1": (2, 2), "lokr_w2_a": (outputs // 2, 1), "lokr_w2_b": (1, inputs // 2)}


def magnitude(target: Target) -> Parts:
    """Return LyCORIS' magnitude over the outputs."""
    outputs, _, kernel = sizes(target)
    return {"dora_scale": (outputs, 1, *(1,) * len(kernel))}


def kohya_stem(target: Target) -> str:
    """Return what kohya calls a module."""
    prefix = "lora_unet_" if target[0] == "unet" else "lora_te_"
    return prefix + target[1].replace(".", "_")


def kohya(
    layers: Iterable[tuple[Target, Parts]],
    *,
    dtype: str = "F16",
    alpha: float | None = 1.0,
    metadata: dict[str, str] | None = None,
) -> Document:
    """Return a file in kohya's keys."""
    tensors: dict[str, Tensor] = {}
    for target, parts in layers:
        for part, shape in parts.items():
            key = f"{kohya_stem(target)}.{part}"
            tensors[key] = encode(numbers(key, shape), dtype)
        if alpha is not None:
            tensors[f"{kohya_stem(target)}.alpha"] = encode(np.asarray(alpha), dtype)
    return Document(tensors=tensors, metadata=metadata or {"ss_network_dim": "2"})


def dotted(
    targets: Iterable[Target],
    *,
    name: Callable[[Target, str], str],
    dtype: str = "F16",
    **more: Any,
) -> Document:
    """Return a LoRA whose keys `name` makes of a target and `down` or `up`."""
    tensors: dict[str, Tensor] = {}
    for target in targets:
        for part, shape in lora(target).items():
            key = name(target, part.removeprefix("lora_").removesuffix(".weight"))
            tensors[key] = encode(numbers(key, shape), dtype)
    return Document(tensors=tensors, **more)


def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return numbers that follow from the key; magnitudes and cores are numbers like others."""
    rng = np.random.default_rng(sum(key.encode()))
    return rng.integers(-15, 16, shape) / 16


def _new(target: Target, part: str) -> str:
    return f"{target[0]}.{target[1]}.lora_{'A' if part == 'down' else 'B'}.weight"


def _old(target: Target, part: str) -> str:
    infix = "lora" if target[0] == "unet" else "lora_linear_layer"
    return f"{target[0]}.{target[1]}.{infix}.{part}.weight"


def _oldest(target: Target, part: str) -> str:
    stem, _, name = target[1].removesuffix(".0").rpartition(".")
    return f"{stem}.processor.{name}_lora.{part}.weight"


def _peft(target: Target, part: str) -> str:
    return f"base_model.model.{target[1]}.lora_{'A' if part == 'down' else 'B'}.weight"


def _peft_dora() -> Document:
    config = CONFIG | {"use_rslora": True, "use_dora": True, "alpha_pattern": {"to_k": 3}}
    found = dotted(LINEAR, name=_peft, config=config)
    for target in LINEAR:
        key = f"base_model.model.{target[1]}.lora_magnitude_vector"
        found = found.with_tensor(key, encode(numbers(key, sizes(target)[:1]), "F16"))
    return found


def _vectors(key: str, *, count: int | None, **more: Any) -> Document:
    shape = (12,) if count is None else (count, 12)
    return Document(tensors={key: encode(numbers(key, shape), "F32")}, **more)


_HEADER = {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.lora_alpha": 3})}
_ALL = (*LINEAR, OUT, POINT, *TEXT)

SEEDS: dict[str, Document] = {
    "kohya": kohya((target, lora(target)) for target in _ALL),
    "kohya bf16": kohya(((target, lora(target)) for target in TEXT), dtype="BF16"),
    "kohya f64": kohya(((target, lora(target)) for target in LINEAR), dtype="F64"),
    "kohya without alpha": kohya(((LINEAR[0], lora(LINEAR[0])),), dtype="F32", alpha=None),
    "locon": kohya((target, lora(target, rank=3)) for target in (CONV, POINT)),
    "tucker": kohya(((CONV, lora(CONV, core=True)),), alpha=2.0),
    "loha": kohya((target, loha(target)) for target in (*LINEAR, CONV)),
    "loha tucker": kohya(((CONV, loha(CONV, core=True)),)),
    "lokr": kohya((target, lokr(target, is_whole=False)) for target in (*LINEAR, *TEXT)),
    "lokr whole": kohya(((LINEAR[0], lokr(LINEAR[0], is_whole=True)),), dtype="F32"),
    "dora": kohya((target, lora(target) | magnitude(target)) for target in (*LINEAR, CONV)),
    "diffusers": dotted(_ALL, name=_new),
    "diffusers with header": dotted((*LINEAR, CONV), name=_new, metadata=_HEADER),
    "diffusers old": dotted(_ALL, name=_old),
    "diffusers oldest": dotted((*LINEAR, OUT), name=_oldest, dtype="F32"),
    "peft": dotted(_ALL, name=_peft, config=CONFIG),
    "peft dora": _peft_dora(),
    "inversion": _vectors("<ink>", count=None),
    "inversion of three": _vectors("<ink>", count=3),
    "inversion without name": _vectors("emb_params", count=2, trigger_words=("<ink>",)),
}
"""By name. Every one of them is accepted."""


def tensor_at(document: Document, key: str, **changes: Any) -> Document:
    """Return a copy in which one tensor is changed."""
    return document.with_tensor(key, replace(document.tensors[key], **changes))
