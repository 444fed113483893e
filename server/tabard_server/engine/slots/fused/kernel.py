# SPDX-License-Identifier: Apache-2.0
"""One kernel for a layer's product and all that its rows wear of it; in Triton, for CUDA.

In: inputs by row, a weight, tables of rank rows and which of them each row gathers. Out: the
outputs, written once: the low-rank part is added while they are still in registers. Imports Triton,
so it is imported only where there is a CUDA device, or by tests under Triton's interpreter.
See docs/decisions/0065.
"""

import torch
import triton
import triton.language as tl

from tabard_server.engine.slots.fused.choice import Tiles

_RANKS_MIN = 16
"""The narrowest product that a tensor core makes; fewer ranks are filled up with zeros."""


@triton.jit  # type: ignore[untyped-decorator]
def _worn_product(  # type: ignore[no-untyped-def]  # noqa: PLR0917 - a kernel's arguments have places
    x,
    weight,
    bias,
    down,
    up,
    index,
    strength,
    y,
    pixels,
    inputs,
    outputs,
    ranks,
    HAS_BIAS: tl.constexpr,
    RANKS: tl.constexpr,
    PIXELS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Write one tile of `y`, `[PIXELS, OUTPUTS]` of one row of the batch."""
    row = tl.program_id(1).to(tl.int64)
    tiles = (outputs + OUTPUTS - 1) // OUTPUTS
    pixel = (tl.program_id(0) // tiles) * PIXELS + tl.arange(0, PIXELS)
    output = (tl.program_id(0) % tiles) * OUTPUTS + tl.arange(0, OUTPUTS)
    rank = tl.arange(0, RANKS)
    is_pixel, is_output, is_rank = pixel < pixels, output < outputs, rank < ranks
    slot = tl.load(index + row * ranks + rank, mask=is_rank, other=0)
    x_at = x + (row * pixels + pixel[:, None]) * inputs
    weight_at = weight + output[:, None].to(tl.int64) * inputs
    down_at = down + slot[:, None] * inputs
    base = tl.full((PIXELS, OUTPUTS), 0.0, dtype=tl.float32)
    hidden = tl.full((PIXELS, RANKS), 0.0, dtype=tl.float32)
    for begin in range(0, inputs, INPUTS):
        part = begin + tl.arange(0, INPUTS)
        is_part = part[None, :] < inputs
        xs = tl.load(x_at + part[None, :], mask=is_pixel[:, None] & is_part, other=0.0)
        ws = tl.load(weight_at + part[None, :], mask=is_output[:, None] & is_part, other=0.0)
        ds = tl.load(down_at + part[None, :], mask=is_rank[:, None] & is_part, other=0.0)
        base = tl.dot(xs, tl.trans(ws), base, input_precision="ieee")
        hidden = tl.dot(xs, tl.trans(ds), hidden, input_precision="ieee")
    worn = tl.load(strength + row * ranks + rank, mask=is_rank, other=0.0)
    ups_at = up + slot[:, None] * outputs + output[None, :]
    ups = tl.load(ups_at, mask=is_rank[:, None] & is_output[None, :], other=0.0)
    # As the layer itself folds the weight into the factor, in the model's dtype.
    ups = (ups * worn[:, None]).to(x.dtype.element_ty)
    base = tl.dot(hidden.to(x.dtype.element_ty), ups, base, input_precision="ieee")
    if HAS_BIAS:
        base += tl.load(bias + output, mask=is_output, other=0.0)[None, :].to(tl.float32)
    y_at = y + (row * pixels + pixel[:, None]) * outputs + output[None, :]
    tl.store(y_at, base.to(y.dtype.element_ty), mask=is_pixel[:, None] & is_output[None, :])


def multiply(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    down: torch.Tensor,
    up: torch.Tensor,
    index: torch.Tensor,
    strength: torch.Tensor,
    tiles: Tiles,
) -> torch.Tensor:
    """Return `x W^T + b + ((x down[index]^T) * strength) up[index]`, `[rows, pixels, out]`.

    Args:
        x: `[rows, pixels, in]`, contiguous; float16, bfloat16 or float32, as all but `index`.
        weight: `[out, in]`, contiguous.
        bias: `[out]`, or None.
        down: Table `[P, in]`.
        up: Table `[P, out]`.
        index: Rank rows `[rows, R]`, int64.
        strength: Their weights `[rows, R, 1]`.
        tiles: How the work is cut.
    """
    rows, pixels, inputs = x.shape
    outputs, ranks = weight.shape[0], index.shape[1]
    y = x.new_empty(rows, pixels, outputs)
    grid = (triton.cdiv(pixels, tiles.pixels) * triton.cdiv(outputs, tiles.outputs), rows)
    _worn_product[grid](
        x,
        weight,
        weight if bias is None else bias,
        down,
        up,
        index,
        strength,
        y,
        pixels,
        inputs,
        outputs,
        ranks,
        HAS_BIAS=bias is not None,
        RANKS=max(_RANKS_MIN, triton.next_power_of_2(ranks)),
        PIXELS=tiles.pixels,
        OUTPUTS=tiles.outputs,
        INPUTS=tiles.inputs,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return y


@torch.library.custom_op("tabard::worn_product", mutates_args=())
def worn_product(  # noqa: PLR0917 - an operator's arguments have places
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    down: torch.Tensor,
    up: torch.Tensor,
    index: torch.Tensor,
    strength: torch.Tensor,
    tiles: list[int],
) -> torch.Tensor:
    """Do what `multiply` does, as one node of a compiled graph; `tiles` are its numbers."""
    return multiply(
        x.contiguous(),
        weight,
        bias,
        down=down,
        up=up,
        index=index,
        strength=strength,
        tiles=Tiles.of(tiles),
    )


@worn_product.register_fake
def _(  # noqa: PLR0917 - likewise
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    down: torch.Tensor,
    up: torch.Tensor,
    index: torch.Tensor,
    strength: torch.Tensor,
    tiles: list[int],
) -> torch.Tensor:
    return x.new_empty(*x.shape[:2], weight.shape[0])
