# SPDX-License-Identifier: Apache-2.0
"""The outputs of a few functions on tensors without memory, which torch works out slowly.

In: a function and its arguments. Out: what it returns on the meta device, or that torch is to be
asked. Torch takes norms and sums apart in Python there, and imports a library of symbols for them:
more than a second for three passes. Shapes, dtypes and strides are those that torch gives.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch

_aten = torch.ops.aten


def outputs_of(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the outputs of a function; `NotImplemented` where torch is to be asked."""
    known = _KNOWN.get(function)
    return NotImplemented if known is None else known(*args, **kwargs)


def _each(first: Any, second: Any = None, **_more: Any) -> Any:
    """For what is done to each element of one tensor, or of two that fit."""
    if not first.is_floating_point() or isinstance(second, complex):
        return NotImplemented
    if not isinstance(second, torch.Tensor):
        return _beside(first)
    if second.dtype != first.dtype:
        return NotImplemented
    sizes = zip_longest(reversed(first.shape), reversed(second.shape), fillvalue=1)
    shape = tuple(max(size) if min(size) else 0 for size in sizes)[::-1]
    if shape == first.shape:
        return _beside(first)
    is_plain = first.is_contiguous() and second.is_contiguous()
    return first.new_empty(shape) if is_plain else NotImplemented


def _beside(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the same order, without gaps."""
    strides, size = [0] * tensor.ndim, 1
    for at in sorted(range(tensor.ndim), key=tensor.stride):
        if tensor.stride(at) == 0 and tensor.shape[at] != 1:
            return torch.empty_like(tensor)
        strides[at] = size
        size *= tensor.shape[at]
    return tensor.new_empty_strided(tensor.shape, strides)


def _pictures(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return a tensor whose channels lie where those of another one lie."""
    is_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if is_last else torch.contiguous_format
    return torch.empty(shape, dtype=tensor.dtype, device=tensor.device, memory_format=order)


def _group_norm(
    tensor: Any, _weight: Any, _bias: Any, samples: int, _c: int, _hw: int, groups: int, _eps: float
) -> Any:
    statistics = (tensor.new_empty(samples, groups) for _ in range(2))
    return (_pictures(tensor, tensor.shape), *statistics)


def _layer_norm(tensor: Any, shape: Sequence[int], _weight: Any, _bias: Any, _eps: float) -> Any:
    kept = tensor.shape[: -len(shape)] + (1,) * len(shape)
    return (tensor.new_empty(tensor.shape), tensor.new_empty(kept), tensor.new_empty(kept))


def _addmm(_bias: Any, left: Any, right: Any) -> Any:
    return _product(left, right)


def _product(left: Any, right: Any) -> Any:
    return left.new_empty(*left.shape[:-1], right.shape[-1])


def _convolution(
    tensor: Any, weight: Any, _bias: Any, stride: Any, padding: Any, dilation: Any, *more: Any
) -> Any:
    is_transposed, *_ = more
    if is_transposed:
        return NotImplemented
    walks = zip(tensor.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    sides = (
        (size + 2 * pad - far * (kernel - 1) - 1) // step + 1
        for size, kernel, step, pad, far in walks
    )
    return tensor.new_empty(tensor.shape[0], weight.shape[0], *sides)


def _upsample(tensor: Any, size: Sequence[int], *_scales: Any) -> Any:
    return _pictures(tensor, (*tensor.shape[:2], *size))


def _pad(tensor: Any, pads: Sequence[int], _value: Any = 0) -> Any:
    if not tensor.is_contiguous():
        return NotImplemented
    shape = list(tensor.shape)
    for at, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        shape[-1 - at] += before + after
    return tensor.new_empty(shape)


def _cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    first, *others = tensors
    if not all(
        one.is_contiguous() and one.dtype == first.dtype and one.ndim == first.ndim
        for one in tensors
    ):
        return NotImplemented
    shape = list(first.shape)
    shape[dim] += sum(one.shape[dim] for one in others)
    return first.new_empty(shape)


def _arange(start: Any, end: Any, *, dtype: Any = None, **where: Any) -> Any:
    if dtype is None or not isinstance(start, int) or not isinstance(end, int):
        return NotImplemented
    return torch.empty(end - start, dtype=dtype, device=where.get("device"))


_KNOWN: dict[Any, Callable[..., Any]] = {
    _aten.native_group_norm.default: _group_norm,
    _aten.native_layer_norm.default: _layer_norm,
    _aten.addmm.default: _addmm,
    _aten.bmm.default: _product,
    _aten.mm.default: _product,
    _aten.arange.start: _arange,
    _aten.cat.default: _cat,
    _aten.constant_pad_nd.default: _pad,
    _aten.convolution.default: _convolution,
    _aten.upsample_nearest2d.default: _upsample,
    **dict.fromkeys((_aten.add.Tensor, _aten.div.Tensor, _aten.mul.Tensor), _each),
    **dict.fromkeys((_aten.gelu.default, _aten.silu.default), _each),
    **dict.fromkeys((_aten.cos.default, _aten.exp.default, _aten.sin.default), _each),
}
