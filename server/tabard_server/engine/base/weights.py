# SPDX-License-Identifier: Apache-2.0
"""Weights go into an empty model: all of them, of its shapes, and finite in the dtype it serves.

In: a model without weights, and tensors by plain names. Out: the model in float32 on the CPU, in
memory of its own.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from tabard_registry.grammar import counted
from tabard_server.engine.base.files.scales import FLOAT8, dtype_name
from tabard_server.engine.base.files.tensor_file import Tensors
from tabard_server.engine.base.names import TEXT_PREFIX, plain_weights, tied_weights
from tabard_server.engine_port.errors import BaseNotLoadable

_READ = (torch.float64, torch.float32, torch.float16, torch.bfloat16, *FLOAT8)
_MATRIX = 2


def fill(
    model: Any,
    tensors: Tensors,
    *,
    component: str,
    source: str,
    kept: Mapping[str, torch.dtype],
) -> None:
    """Give a model its weights.

    Args:
        model: Empty.
        tensors: Its weights by plain names.
        component: What it is called in messages.
        source: Where the weights come from.
        kept: What each will be kept in, by name; it must be finite there.

    Raises:
        BaseNotLoadable: A weight is missing, has another shape or type, or is not finite.
    """
    wanted, tied = plain_weights(model), tied_weights(model)
    missing = sorted(name for name in wanted if name not in tensors)
    if missing:
        raise BaseNotLoadable(
            f"{source} lacks {counted(len(missing), 'weight')} of its {component}, "
            f"{missing[0]} among them",
            hint="download or save the base again; missing weights are never made up",
        )
    filled = {
        name: _weight(
            tensors[name.removeprefix(TEXT_PREFIX)],
            like=like,
            what=f"{name} of the {component} of {source}",
            dtype=kept.get(name, torch.float32),
        )
        for name, like in model.state_dict().items()
        if name not in tied
    }
    filled |= {name: filled[source_name] for name, source_name in tied.items()}
    model.load_state_dict(filled, strict=True, assign=True)
    if tied:
        model.tie_weights()


def fits(found: torch.Size, *, like: torch.Size) -> bool:
    """Say whether a shape is the model's, but for a kernel of 1x1 around a matrix."""
    if found == like:
        return True
    is_matrix = len(found) >= _MATRIX and len(like) >= _MATRIX and found[:2] == like[:2]
    return is_matrix and math.prod(found) == math.prod(like)


def _weight(
    found: torch.Tensor, *, like: torch.Tensor, what: str, dtype: torch.dtype
) -> torch.Tensor:
    if not fits(found.shape, like=like.shape):
        raise BaseNotLoadable(
            f"{what} is {list(found.shape)}, and its configuration says {list(like.shape)}",
            hint="take weights and configuration from one source; for a single file, name a folder "
            "whose configs fit it by base_config",
        )
    if found.dtype not in _READ:
        raise BaseNotLoadable(
            f"{what} is {dtype_name(found)}, and weights are floating point",
            hint="give the checkpoint in float32, float16, bfloat16 or ComfyUI's fp8",
        )
    # A copy: the file may be replaced while it is served.
    weight = found.to(torch.float32, copy=True).reshape(like.shape).contiguous()
    if weight.numel():
        _refuse_unbounded(weight, what=what, dtype=dtype)
    return weight


def _refuse_unbounded(weight: torch.Tensor, *, what: str, dtype: torch.dtype) -> None:
    # NaN is the least and the greatest of whatever holds it, and rounding keeps the order.
    ends = torch.stack(weight.aminmax())
    if not bool(torch.isfinite(ends).all()):
        raise BaseNotLoadable(
            f"{what} holds NaN or infinity",
            hint="copy or download it again; if it stays so, its training diverged: take an "
            "earlier step",
        )
    # Into eight bits torch may clip what is too large, instead of making it infinite.
    is_clipped = dtype in FLOAT8 and float(ends.abs().max()) > torch.finfo(dtype).max
    if is_clipped or not bool(torch.isfinite(ends.to(dtype).float()).all()):
        raise BaseNotLoadable(
            f"{what} holds {float(ends.abs().max()):.4g}, which {dtype_name(ends.to(dtype))} "
            "cannot say",
            hint="leave storage_dtype out"
            if dtype in FLOAT8
            else "serve it with --dtype bfloat16 or --dtype float32",
        )
