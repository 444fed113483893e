# SPDX-License-Identifier: Apache-2.0
"""Changes that turn a weight: Diag-OFT (arXiv:2306.07280) and BOFT (arXiv:2311.06243).

Square blocks `B` make skew matrices `Q = B - B^T`, and those rotations by the Cayley transform.
LyCORIS turns the outputs (`on_input` false), PEFT the inputs, the kernel unrolled (`on_input`).

Neither is linear in its weight with LyCORIS, and this follows it: the rotation itself is
interpolated with the identity, in BOFT each of its stages, and a `rescale` counts whole at any
weight. PEFT knows no weight but 1; its change is taken times the weight.
"""

import torch

from tabard_server.engine.merged.change_parts import ChangeParts

_TERMS_MAX = 64


def orthogonal(parts: ChangeParts, *, weight: float) -> torch.Tensor:
    """Return OFT's change of the parameter `[out, in, *kernel]`, in the dtype of `parts.base`.

    `blocks [n, b, b]`: n rotations side by side, where `n * b` is the number of outputs, or of
    columns `in * k` if `on_input`; then one block may serve all columns. `rescale`, if there is
    one, has `[out]` numbers.
    """
    blocks = _squares(parts, axes=3)
    if parts.says("on_input"):
        turned = _turn_columns(parts.rows, _peft_rotation(parts, blocks), parts=parts)
        return _peft_change(parts, turned, weight=weight)
    rotation = _between(_cayley(_bounded(parts, blocks)), weight=weight)
    turned = _turn_rows(parts.rows, rotation.mT, parts=parts)
    return _rescaled(parts, turned) - parts.base


def butterfly(parts: ChangeParts, *, weight: float) -> torch.Tensor:
    """Return BOFT's change of the parameter `[out, in, *kernel]`, in the dtype of `parts.base`.

    `blocks [stages, n, b, b]`: each stage turns like an OFT, and mixes twice as far as the one
    before. `rescale` as of an OFT.
    """
    blocks = _squares(parts, axes=4)
    if parts.says("on_input"):
        return _peft_butterfly(parts, blocks, weight=weight)
    turned = parts.rows
    for number, rotation in enumerate(_between(_cayley(_bounded(parts, blocks)), weight=weight)):
        pair = 2**number * (blocks.shape[-1] // 2)
        if not pair or turned.shape[0] % (2 * pair):
            raise parts.misfit(f"pairs {pair} outputs, which they do not divide into")
        columns = turned.shape[1]
        mixed = turned.view(-1, 2, pair, columns).transpose(1, 2).reshape(-1, columns)
        mixed = _turn_rows(mixed, rotation, parts=parts)
        turned = mixed.view(-1, pair, 2, columns).transpose(1, 2).reshape(-1, columns)
    return _rescaled(parts, turned) - parts.base


def _peft_butterfly(parts: ChangeParts, blocks: torch.Tensor, *, weight: float) -> torch.Tensor:
    turned, half = parts.rows, blocks.shape[-1] // 2
    for number, rotation in enumerate(_peft_rotation(parts, blocks)):
        chunk = 2 ** (number + 1) * half
        if number and (not half or parts.columns % chunk):
            raise parts.misfit(f"mixes {chunk} inputs, which they do not divide into")
        order = _interleaving(parts.columns, chunk=chunk, unit=half) if number else None
        mixed = turned if order is None else turned[:, order.argsort()]
        mixed = _turn_columns(mixed, rotation, parts=parts)
        turned = mixed if order is None else mixed[:, order]
    return _peft_change(parts, turned, weight=weight)


def _interleaving(width: int, *, chunk: int, unit: int) -> torch.Tensor:
    """Return the order that takes every second unit of a chunk first, then the others."""
    units = torch.arange(chunk).view(-1, unit)
    within = torch.cat([units[0::2], units[1::2]]).flatten()
    return (torch.arange(0, width, chunk).view(-1, 1) + within).flatten()


def _squares(parts: ChangeParts, *, axes: int) -> torch.Tensor:
    blocks = parts.take("blocks", *[None] * axes)
    if blocks.shape[-1] != blocks.shape[-2] or not blocks.numel():
        raise parts.misfit(f"has blocks of shape {list(blocks.shape)}")
    return blocks


def _bounded(parts: ChangeParts, blocks: torch.Tensor) -> torch.Tensor:
    """Return skew matrices `[…, b, b]`, together no longer than LyCORIS' constraint; 0: none."""
    skew = blocks - blocks.mT
    longest = parts.number("constraint") * parts.outputs
    length = torch.linalg.vector_norm(skew) + 1e-8
    return skew * (longest / length).clamp(max=1) if longest > 0 else skew


def _cayley(skew: torch.Tensor) -> torch.Tensor:
    """Return `(I + Q)(I - Q)^-1` of each `Q` of `[…, b, b]`; not finite where `Q` is not."""
    identity = torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device)
    found: torch.Tensor = torch.linalg.solve_ex(identity - skew, identity + skew, left=False)[0]
    return found


def _between(rotation: torch.Tensor, *, weight: float) -> torch.Tensor:
    identity = torch.eye(rotation.shape[-1], dtype=rotation.dtype, device=rotation.device)
    return torch.lerp(identity.expand_as(rotation), rotation, weight)


def _peft_rotation(parts: ChangeParts, blocks: torch.Tensor) -> torch.Tensor:
    """Return PEFT's rotation: exact, or the first terms of its Neumann series.

    PEFT's exact transform turns the other way than its series does.
    """
    skew = blocks - blocks.mT
    terms = int(parts.number("terms"))
    if not 0 <= terms <= _TERMS_MAX:
        raise parts.misfit(f"asks for {terms} terms of a series; at most {_TERMS_MAX} are computed")
    if not terms:
        return _cayley(-skew)
    # The library computes at least three powers once it computes more than one.
    last = terms - 1 if terms < 3 else max(terms - 1, 3)
    power = torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device)
    rotation = power.expand_as(skew).clone()
    for number in range(1, last + 1):
        power = power @ skew
        rotation += power if number == last and terms > 2 else 2 * power
    return rotation


def _peft_change(parts: ChangeParts, turned: torch.Tensor, *, weight: float) -> torch.Tensor:
    return (_rescaled(parts, turned) - parts.base).mul_(weight)


def _rescaled(parts: ChangeParts, turned: torch.Tensor) -> torch.Tensor:
    if parts.has("rescale"):
        turned = turned * parts.vector("rescale", parts.outputs).view(-1, 1)
    return turned.reshape(parts.base.shape)


def _turn_rows(rows: torch.Tensor, rotation: torch.Tensor, *, parts: ChangeParts) -> torch.Tensor:
    """Multiply each block of rows `[n * b, columns]` by its rotation `[n, b, b]` from the left."""
    count, size, _ = rotation.shape
    if count * size != rows.shape[0]:
        raise parts.misfit(f"has {count} blocks of {size} for its outputs")
    return torch.bmm(rotation, rows.reshape(count, size, -1)).flatten(0, 1)


def _turn_columns(
    rows: torch.Tensor, rotation: torch.Tensor, *, parts: ChangeParts
) -> torch.Tensor:
    """Multiply each block of columns `[rows, n * b]` by its rotation; a single one serves all."""
    count, size, _ = rotation.shape
    if parts.columns % size or count not in (1, parts.columns // size):
        raise parts.misfit(f"has {count} blocks of {size} for its inputs")
    blocks = rows.reshape(rows.shape[0], -1, size)
    return torch.einsum("oni,nji->onj", blocks, rotation.expand(blocks.shape[1], -1, -1)).flatten(1)
