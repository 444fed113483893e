# SPDX-License-Identifier: Apache-2.0
"""The changes that LyCORIS saved, and what its own forward gave with them."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file

from tabard_server.adapters.host_adapter import HostChange
from tests.golden import GOLDEN
from tests.server.engine.merged.random_changes import change_of

GOLDEN_FILE = load_file(str(GOLDEN / "lycoris_changes.safetensors"))


CASES = sorted({"/".join(key.split("/")[:2]) for key in GOLDEN_FILE if key.count("/") == 2})


METHODS = {
    "boft": "boft",
    "full": "dense",
    "glora": "glora",
    "ia3": "ia3",
    "loha": "hadamard",
    "lokr": "kronecker",
    "lora": "lora",
    "norm": "dense",
    "oft": "oft",
}


PREFIXES = ("hada_", "lokr_", "lora_", "oft_")


VECTORS = {"diff_b": "bias", "b_norm": "bias"}


def tensors_of(prefix: str) -> dict[str, torch.Tensor]:
    """Tensors of the file whose names begin like this, without it."""
    return {k.removeprefix(prefix): v for k, v in GOLDEN_FILE.items() if k.startswith(prefix)}


def changes_of(case: str) -> dict[str, HostChange]:
    """By parameter, the changes that LyCORIS saved."""
    saved = tensors_of(f"{case}/saved.")
    method = METHODS[case.split("/")[1].split(maxsplit=1)[0]]
    scale, options = 1.0, dict[str, Any]()
    alpha = saved.pop("alpha", torch.tensor(0.0)).item()
    if method in ("oft", "boft"):
        options["constraint"] = alpha
    elif method not in {"dense", "ia3"} and "lokr whole" not in case:
        scale = alpha / rank_of(saved)
    if method == "ia3":
        options["on_input"] = bool(saved.pop("on_input"))
    biases = {key: saved.pop(key) for key in VECTORS if key in saved}
    parts = {renamed(key): value for key, value in saved.items()}
    found = {"weight": change_of(method, parts, scale=scale, **options)}
    for value in biases.values():
        found["bias"] = change_of("dense", {"diff": value}, parameter="bias")
    return found


def renamed(key: str) -> str:
    """What a part is called, by LyCORIS' name for it."""
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return "diff" if key == "w_norm" else key.removesuffix(".weight")


def rank_of(saved: Mapping[str, torch.Tensor]) -> int:
    """What alpha divides by."""
    names = ("lora_down.weight", "hada_w1_b", "lokr_w2_b", "a2.weight")
    return int(next(saved[name].shape[0] for name in names if name in saved))
