# SPDX-License-Identifier: Apache-2.0
"""Changes that are sums and products of their parts: dense, LoRA, LoHa, LoKr, GLoRA, IA3.

Each is linear in its weight, here as with its writer: what comes out is the change at weight 1.
"""

import torch

from tabard_server.engine.merged.change_parts import Parts


def dense(parts: Parts) -> torch.Tensor:
    """Return `diff`: LyCORIS' full changes and norms, kohya's biases, exact differences."""
    diff = parts.vector("diff", parts.base.numel())
    return diff.view(parts.base.shape)


def low_rank(parts: Parts) -> torch.Tensor:
    """Return `up @ down`, or `up @ mid @ down` along the channels with a Tucker core."""
    up = parts.matrix("up", parts.outputs, None)
    rank = up.shape[1]
    if parts.has("mid"):
        down = parts.matrix("down", rank, parts.inputs)
        return _with_core(parts.take("mid", rank, rank, *parts.kernel), up.T, down)
    return (up @ parts.matrix("down", rank, parts.columns)).view(parts.base.shape)


def hadamard(parts: Parts) -> torch.Tensor:
    """Return LoHa: two low-rank changes, multiplied element by element."""
    return _hadamard_half(parts, 1).mul_(_hadamard_half(parts, 2))


def kronecker(parts: Parts) -> torch.Tensor:
    """Return LoKr: the Kronecker product of two matrices, the right one with the kernel."""
    left, right = _left(parts), _right(parts)
    size = (left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])
    if size != (parts.outputs, parts.columns):
        raise parts.misfit(f"comes out as {list(size)}")
    return torch.kron(left, right).view(parts.base.shape)


def glora(parts: Parts) -> torch.Tensor:
    """Return GLoRA: `W a1 a2` along the inputs, plus `b1 b2`."""
    first, second = parts.matrix("a1", parts.inputs, None), parts.matrix("b1", parts.outputs, None)
    inner = first @ parts.matrix("a2", first.shape[1], parts.inputs)
    added = second @ parts.matrix("b2", second.shape[1], parts.columns)
    turned = torch.einsum("oi...,ij->oj...", parts.base, inner)
    return turned + added.view(parts.base.shape)


def scaling(parts: Parts) -> torch.Tensor:
    """Return IA3: the parameter times one number for each output, or for each input.

    The numbers say how far beyond 1, as LyCORIS keeps them; PEFT keeps them with the 1 and scales a
    bias too.
    """
    axis = 1 if parts.says("on_input") else 0
    length = parts.inputs if axis else parts.outputs
    shape = [-1 if d == axis else 1 for d in range(parts.base.dim())]
    return parts.base * parts.vector("weight", length).view(shape)


def _hadamard_half(parts: Parts, number: int) -> torch.Tensor:
    first, second = f"w{number}_a", f"w{number}_b"
    if parts.has("t1") or parts.has("t2"):
        # With a core, both factors are written with the rank first.
        left = parts.matrix(first, None, parts.outputs)
        rank = left.shape[0]
        core = parts.take(f"t{number}", rank, rank, *parts.kernel)
        return _with_core(core, left, parts.matrix(second, rank, parts.inputs))
    left = parts.matrix(first, parts.outputs, None)
    right = parts.matrix(second, left.shape[1], parts.columns)
    return (left @ right).view(parts.base.shape)


def _left(parts: Parts) -> torch.Tensor:
    if parts.has("w1"):
        return parts.matrix("w1", None, None)
    first = parts.matrix("w1_a", None, None)
    return first @ parts.matrix("w1_b", first.shape[1], None)


def _right(parts: Parts) -> torch.Tensor:
    """Return the right factor, its kernel unrolled: that is how it lies in the product."""
    if parts.has("w2"):
        return parts.matrix("w2", None, None)
    first = parts.matrix("w2_a", None, None)
    if parts.has("t2"):
        rank = first.shape[0]
        core = parts.take("t2", rank, rank, *parts.kernel)
        return _with_core(core, first, parts.matrix("w2_b", rank, None)).flatten(1)
    return first @ parts.matrix("w2_b", first.shape[1], None)


def _with_core(core: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Multiply `[i, j, …]` by `[i, out]` and `[j, in]`: `[out, in, …]`."""
    return torch.einsum("ij...,io,jn->on...", core, left, right)
