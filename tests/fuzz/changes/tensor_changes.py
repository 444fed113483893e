# SPDX-License-Identifier: Apache-2.0
"""Ways to bend what a file says of its layers: names, pairs, types, numbers, alphas, and configs.

Each takes a `Random` and a sound document, and says what became of its meaning.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.changes.demand import Bent, Demand
from tests.fuzz.document import ITEM_BYTES, Document, Tensor, decode, encode
from tests.fuzz.seeds import PROFILE, tensor_at

_TYPES = (*ITEM_BYTES, "BOOL", "I8", "I16", "F8_E4M3", "F8_E5M2", "C64", "F4", "f16", "")
_ODD_ALPHAS = (0.0, math.nan, math.inf, -math.inf, 1e30, -1.0, 1e-30, 2048.0, 3.0, 0.5)
_NAMES = ("alpha", "lora_unet_", "up_blocks", "😀", "../../x", "\x00", " ", "weight", "te_", "1")
_PATTERNS = ("to_k", "to_q", "^to_q", "q_proj", "attn2.to_k", "(a+)+$", ".*", "to_(k|q)", "", "[")
_VALUES: tuple[Any, ...] = (4, 0, -1, 1e308, math.nan, None, "4", [4], {}, True, 2**70, 0.5)
_FIELDS = (
    *("lora_alpha", "r", "peft_type", "use_rslora", "use_dora", "bias", "alpha", "lora_bias"),
    *("alpha_pattern", "rank_pattern", "target_modules", "use_qalora", "fan_in_fan_out"),
)


def reorder(rng: Random, document: Document) -> Bent:
    """Write the tensors in another order."""
    keys = list(document.tensors)
    rng.shuffle(keys)
    tensors = {key: document.tensors[key] for key in keys}
    return replace(document, tensors=tensors), Demand.KEEPS


def add_metadata(rng: Random, document: Document) -> Bent:
    """Say something more in the metadata, nothing that is read."""
    text = "".join(chr(rng.choice((0x41, 0xE9, 0x1F600, 0x22, 0x5C, 0))) for _ in range(20))
    metadata = {**document.metadata, f"ss_note_{rng.randrange(9)}": text * rng.randrange(1, 400)}
    return replace(document, metadata=metadata), Demand.KEEPS


def widen(rng: Random, document: Document) -> Bent:
    """Write one tensor in a type that holds its numbers as well."""
    key = rng.choice(list(document.tensors))
    bent = encode(decode(document.tensors[key]), rng.choice(("F64", "F32", "BF16")))
    return document.with_tensor(key, bent), Demand.KEEPS


def drop(rng: Random, document: Document) -> Bent:
    """Leave a tensor out; a layer without an alpha still means something."""
    key = rng.choice(list(document.tensors))
    tensors = {k: v for k, v in document.tensors.items() if k != key}
    is_optional = key.endswith("alpha") or "dora_scale" in key or "_mid" in key or "hada_t" in key
    return replace(document, tensors=tensors), Demand.EITHER if is_optional else Demand.BREAKS


def rename(rng: Random, document: Document) -> Bent:
    """Change a name somewhere."""
    key = rng.choice(list(document.tensors))
    at, new = rng.randrange(len(key) + 1), rng.choice(_NAMES)
    name = rng.choice((key[:at] + new + key[at:], key[:at] + key[at + 1 :], key.upper(), new * 40))
    return _renamed(document, key, name), Demand.EITHER


def rename_module(rng: Random, document: Document) -> Bent:
    """Give a tensor to another module."""
    names = [m for modules in PROFILE.modules.values() for m in modules]
    old, new = rng.choice(names), rng.choice(names)
    tensors = {
        key.replace(old, new).replace(old.replace(".", "_"), new.replace(".", "_")): tensor
        for key, tensor in document.tensors.items()
    }
    return replace(document, tensors=tensors), Demand.EITHER


def duplicate(rng: Random, document: Document) -> Bent:
    """Say a tensor twice, under the name of another dialect or part."""
    key = rng.choice(list(document.tensors))
    twin = rng.choice(
        (
            key.replace("_", "."),
            f"unet.{key}",
            key.removeprefix("unet."),
            key.replace("lora_down", "lora_mid"),
            key.replace("lora_A", "lora.down"),
            key.replace(".weight", ".default.weight"),
            key.replace("text_model.", ""),
            key + ".alpha",
        )
    )
    demand = Demand.EITHER if twin == key else Demand.BREAKS
    return document.with_tensor(twin, document.tensors[key]), demand


def poison(rng: Random, document: Document) -> Bent:
    """Put a number where no number is."""
    key = rng.choice(list(document.tensors))
    found = decode(document.tensors[key]).astype(np.float64)
    flat = found.reshape(-1)
    flat[rng.randrange(flat.size)] = rng.choice((math.nan, math.inf, -math.inf))
    with np.errstate(all="ignore"):
        return document.with_tensor(key, encode(found, document.tensors[key].dtype)), Demand.BREAKS


def swell(rng: Random, document: Document) -> Bent:
    """Make numbers so large that products may overflow."""
    exponent = rng.choice((4, 15, 60, 120, 127, 128, 300))
    tensors = {
        key: encode(np.ldexp(decode(tensor).astype(np.float64), exponent), "F64")
        if not key.endswith("alpha")
        else tensor
        for key, tensor in document.tensors.items()
    }
    return replace(document, tensors=tensors), Demand.EITHER


def odd_alpha(rng: Random, document: Document) -> Bent:
    """Give a layer another alpha, in any type and shape."""
    stems = [key.rpartition(".lora_")[0] or key.partition(".")[0] for key in document.tensors]
    key = rng.choice([k for k in document.tensors if k.endswith("alpha")] or [f"{stems[0]}.alpha"])
    dtype = rng.choice(("F16", "F32", "F64", "BF16", "I64", "I32", "U8"))
    value = rng.choice(_ODD_ALPHAS)
    if dtype in ("F16", "F32", "F64", "BF16"):
        with np.errstate(all="ignore"):
            tensor = encode(np.full(rng.choice(((), (1,), (1, 1), (2,))), value), dtype)
    else:
        width = ITEM_BYTES[dtype]
        tensor = Tensor(dtype=dtype, shape=(), data=rng.randrange(5).to_bytes(width, "little"))
    return document.with_tensor(key, tensor), Demand.EITHER


def retype(rng: Random, document: Document) -> Bent:
    """Call the bytes of a tensor something else; the shape follows where it can."""
    key = rng.choice(list(document.tensors))
    tensor = document.tensors[key]
    dtype = rng.choice(_TYPES)
    items = len(tensor.data) // ITEM_BYTES.get(dtype, 1)
    shape = rng.choice((tensor.shape, (*tensor.shape[:-1], -1), (items,)))
    if -1 in shape:
        rest = max(1, math.prod(shape[:-1]))
        shape = (*shape[:-1], items // rest)
    return tensor_at(document, key, dtype=dtype, shape=shape), Demand.EITHER


def reshape(rng: Random, document: Document) -> Bent:
    """Give a tensor another shape of as many numbers."""
    key = rng.choice(list(document.tensors))
    shape = list(document.tensors[key].shape)
    shape = rng.choice(
        (shape[::-1], [math.prod(shape)], [*shape, 1], [1, *shape], [*shape, 1, 1], shape[:2])
    )
    return tensor_at(document, key, shape=tuple(shape)), Demand.EITHER


def resize(rng: Random, document: Document) -> Bent:
    """Cut or repeat a tensor along one side, as a file of another rank or base has it."""
    key = rng.choice([k for k, t in document.tensors.items() if t.shape] or list(document.tensors))
    found = decode(document.tensors[key])
    if not found.ndim:
        return document, Demand.EITHER
    axis = rng.randrange(found.ndim)
    places = rng.choices(range(found.shape[axis]), k=rng.choice((1, 2, 3, 13, 600)))
    return document.with_tensor(
        key, encode(np.take(found, places, axis=axis), document.tensors[key].dtype)
    ), Demand.EITHER


def exchange(rng: Random, document: Document) -> Bent:
    """Let two tensors change places."""
    one, two = rng.choices(list(document.tensors), k=2)
    found = document.with_tensor(one, document.tensors[two])
    return found.with_tensor(two, document.tensors[one]), Demand.EITHER


def bend_config(rng: Random, document: Document) -> Bent:
    """Change what the configuration says, beside the tensors or in the header."""
    if document.config is not None:
        return replace(document, config=_bent_config(rng, document.config)), Demand.EITHER
    said: dict[str, Any] = {"unet.r": 2, "unet.lora_alpha": 3}
    prefix = rng.choice(("unet.", "text_encoder.", ""))
    said |= {prefix + key: value for key, value in _bent_config(rng, {}).items()}
    text = rng.choice((json.dumps(said), json.dumps(said)[:-1], "[" * 3_000, "7", "null"))
    metadata = {**document.metadata, "lora_adapter_metadata": text}
    return replace(document, metadata=metadata), Demand.EITHER


def _bent_config(rng: Random, config: dict[str, Any]) -> dict[str, Any]:
    name = rng.choice(_FIELDS)
    value: Any = rng.choice(_VALUES)
    if name.endswith("_pattern") and rng.random() < 0.8:
        value = {rng.choice(_PATTERNS): rng.choice(_VALUES) for _ in range(rng.randrange(1, 3))}
    elif name == "peft_type":
        value = rng.choice(("LORA", "LOHA", "LOKR", "IA3", "OFT", "lora", 3, None))
    return {**config, name: value}


def _renamed(document: Document, key: str, name: str) -> Document:
    tensors = {name if k == key else k: tensor for k, tensor in document.tensors.items()}
    return replace(document, tensors=tensors)


TENSOR_CHANGES = (
    *(reorder, add_metadata, widen, drop, rename, rename_module, duplicate, poison, swell),
    *(odd_alpha, retype, reshape, resize, exchange, bend_config),
)
