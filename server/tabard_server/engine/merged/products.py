# SPDX-License-Identifier: Apache-2.0
"""Changes that are sums and products of their parts: dense, LoRA, LoHa, LoKr, GLoRA, IA3.

Each is linear in its weight, here as with its writer: what comes out is the change at weight 1, of
the shape of the parameter `[out, in, *kernel]` and in the dtype of `parts.base`, float32 or wider.
Below, r is a rank, and k the numbers of a kernel: 1 for a linear layer, 9 for one of 3x3.
"""

import torch

from tabard_server.engine.merged.change_parts import ChangeParts


def dense(parts: ChangeParts) -> torch.Tensor:
    """Return `diff`: LyCORIS' full changes and norms, kohya's biases, exact differences.

    `diff` has the shape of the parameter: `[out, in, *kernel]`, or `[out]` of a norm or bias.
    """
    diff = parts.vector("diff", parts.base.numel())
    return diff.view(parts.base.shape)


def low_rank(parts: ChangeParts) -> torch.Tensor:
    """Return LoRA (arXiv:2106.09685): `up @ down`.

    `up [out, r]` and `down [r, in * k]`; with a Tucker core `mid [r, r, *kernel]`, which is
    multiplied along its first axis by `up [out, r]` and along its second by `down [r, in]`.
    """
    up = parts.matrix("up", parts.outputs, None)
    rank = up.shape[1]
    if parts.has("mid"):
        down = parts.matrix("down", rank, parts.inputs)
        return _with_core(parts.take("mid", rank, rank, *parts.kernel), up.T, down)
    return (up @ parts.matrix("down", rank, parts.columns)).view(parts.base.shape)


def hadamard(parts: ChangeParts) -> torch.Tensor:
    """Return LoHa (FedPara, arXiv:2108.06098): `(w1_a @ w1_b) * (w2_a @ w2_b)`, by elements.

    Each `a [out, r]` and `b [r, in * k]`; with cores `t1` and `t2 [r, r, *kernel]` each
    `a [r, out]` and `b [r, in]`.
    """
    return _hadamard_half(parts, 1).mul_(_hadamard_half(parts, 2))


def kronecker(parts: ChangeParts) -> torch.Tensor:
    """Return LoKr (LyCORIS, arXiv:2309.14859): the Kronecker product of `w1` and `w2`.

    `w1 [o1, i1]` and `w2 [o2, i2 * k]`, where `o1 * o2` is `out` and `i1 * i2` is `in`. Each may
    come as `a @ b`, `[o, r]` and `[r, i]`; `w2` also as a core `t2 [r, r, *kernel]` with
    `w2_a [r, o2]` and `w2_b [r, i2]`.
    """
    left, right = _left(parts), _right(parts)
    size = (left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])
    if size != (parts.outputs, parts.columns):
        raise parts.misfit(f"comes out as {list(size)}")
    return torch.kron(left, right).view(parts.base.shape)


def glora(parts: ChangeParts) -> torch.Tensor:
    """Return GLoRA (arXiv:2306.07967): `W a1 a2` along the inputs, plus `b1 b2`.

    `a1 [in, r]`, `a2 [r, in]`, `b1 [out, r]` and `b2 [r, in * k]`; the two ranks may differ.
    """
    first, second = parts.matrix("a1", parts.inputs, None), parts.matrix("b1", parts.outputs, None)
    inner = first @ parts.matrix("a2", first.shape[1], parts.inputs)
    added = second @ parts.matrix("b2", second.shape[1], parts.columns)
    turned = torch.einsum("oi...,ij->oj...", parts.base, inner)
    return turned + added.view(parts.base.shape)


def scaling(parts: ChangeParts) -> torch.Tensor:
    """Return IA3 (arXiv:2205.05638): the parameter times a number for each output, or each input.

    `weight` has `[out]` numbers, or `[in]` if `on_input`. They say how far beyond 1, as LyCORIS
    keeps them; PEFT keeps them with the 1 and scales a bias too.
    """
    axis = 1 if parts.says("on_input") else 0
    length = parts.inputs if axis else parts.outputs
    shape = [-1 if d == axis else 1 for d in range(parts.base.dim())]
    return parts.base * parts.vector("weight", length).view(shape)


def _hadamard_half(parts: ChangeParts, number: int) -> torch.Tensor:
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


def _left(parts: ChangeParts) -> torch.Tensor:
    if parts.has("w1"):
        return parts.matrix("w1", None, None)
    first = parts.matrix("w1_a", None, None)
    return first @ parts.matrix("w1_b", first.shape[1], None)


def _right(parts: ChangeParts) -> torch.Tensor:
    """Return `w2 [o2, i2 * k]`, its kernel unrolled: that is how it lies in the product."""
    if parts.has("w2"):
        return parts.matrix("w2", None, None)
    first = parts.matrix("w2_a", None, None)
    if parts.has("t2"):
        rank = first.shape[0]
        core = parts.take("t2", rank, rank, *parts.kernel)
        return _with_core(core, first, parts.matrix("w2_b", rank, None)).flatten(1)
    return first @ parts.matrix("w2_b", first.shape[1], None)


def _with_core(core: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Multiply a core `[i, j, *kernel]` by `[i, out]` and `[j, in]`: `[out, in, *kernel]`."""
    return torch.einsum("ij...,io,jn->on...", core, left, right)
