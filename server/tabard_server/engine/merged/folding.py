# SPDX-License-Identifier: Apache-2.0
"""One parameter of the base and what a stack does to it, folded into a buffer of the copy.

In: a pristine parameter, what each adapter of the stack changes of it, in order, and a buffer of
its shape and layout. Everything is computed from the pristine parameter in float32 (float64 in a
float64 model) and rounded once; beside the buffer it takes a few times the parameter's memory.
Knows nothing of models, stacks or limits. Magnitudes follow docs/decisions/0010.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from tabard_server.adapters.host_adapter import HostChange, PackedLayer, wide
from tabard_server.engine.merged.changes import materialise, read_magnitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one adapter of a stack does to one parameter `[out, in, *kernel]`.

    Attributes:
        weight: The adapter's weight in the stack.
        layers: Its low-rank pairs, `down [rank, in * k]` and `up [rank, out]` in the model's dtype,
            each with a magnitude `[out]` or `[in]` in float32 or wider, or none; on any device.
        changes: Its other changes, their arrays as they are stored, on any device.
    """

    weight: float
    layers: list[PackedLayer] = field(default_factory=list)
    changes: list[HostChange] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Say whether it is low-rank and nothing else."""
        return not self.changes and all(layer.magnitude is None for layer in self.layers)


def fold_into(
    buffer: torch.Tensor, *, pristine: torch.Tensor, contributions: Sequence[Contribution]
) -> torch.Tensor:
    """Write the pristine parameter with all contributions into the buffer.

    Args:
        buffer: Of the parameter's shape and layout, in the dtype that it is computed in.
        pristine: `[out, in, *kernel]`, or `[out]` of a norm or bias, in the model's dtype.
        contributions: In the order of the stack.

    Returns:
        The sum of the result, one number in float32 or wider on the device: not finite where an
        element is not.

    Raises:
        AdapterMismatch: A change does not fit the parameter.
    """
    # What is kept in eight bits, or elsewhere, is first what it is computed in.
    pristine = pristine.to(device=buffer.device, dtype=buffer.dtype)
    if all(contribution.is_plain for contribution in contributions):
        _fold_products(buffer, pristine=pristine, contributions=contributions)
    else:
        buffer.copy_(_fold_all(pristine, contributions=contributions))
    return buffer.sum(dtype=wide(buffer.dtype))


def first_not_finite(buffers: Sequence[torch.Tensor], *, sums: Sequence[torch.Tensor]) -> int:
    """Return the index of the first buffer with a NaN or Inf, or -1; wait for the device once.

    Args:
        buffers: What was folded, of any shapes.
        sums: What `fold_into` returned for each, one number on the device.
    """
    if not sums:
        return -1
    for index in (~torch.stack(list(sums)).isfinite()).nonzero().flatten().tolist():
        # A sum may overflow where no element did.
        if not bool(buffers[index].isfinite().all()):
            return int(index)
    return -1


def _fold_all(pristine: torch.Tensor, *, contributions: Sequence[Contribution]) -> torch.Tensor:
    """Return the parameter with everything, in the dtype that it is computed in."""
    base = pristine.to(wide(pristine.dtype))
    total: torch.Tensor | None = None
    for contribution in contributions:
        delta = _delta(contribution, base=base)
        if total is not None:
            total += delta
        magnitudes = list(_magnitudes(contribution, base=base))
        if total is not None and not magnitudes:
            continue
        changed = delta.add_(base)
        scales = [_scales(changed, magnitude=found, axis=axis) for found, axis in magnitudes]
        total = changed if total is None else total
        for scale in scales:
            total *= scale
    assert total is not None, "a stack that leaves a parameter alone is not folded into it"
    return total


def _fold_products(
    buffer: torch.Tensor, *, pristine: torch.Tensor, contributions: Sequence[Contribution]
) -> None:
    """Add all pairs as one product, in the order in which the parameter's memory lies."""
    dtype = wide(pristine.dtype)
    base, target = _in_memory_order(pristine), _in_memory_order(buffer)
    assert target.data_ptr() == buffer.data_ptr(), "a buffer has the layout of its parameter"
    pairs = [(c.weight, layer) for c in contributions for layer in c.layers]
    up = torch.cat([_moved(layer.up, base).to(dtype) * weight for weight, layer in pairs])
    down = torch.cat(
        [
            _in_memory_order(_moved(layer.down, base).view(-1, *pristine.shape[1:]), like=pristine)
            for _, layer in pairs
        ]
    ).to(dtype)
    if dtype == buffer.dtype:
        torch.addmm(base, up.T, down, out=target)
    else:
        target.copy_(base.to(dtype).addmm_(up.T, down))


def _delta(contribution: Contribution, *, base: torch.Tensor) -> torch.Tensor:
    """Return what an adapter adds before its magnitude, in memory of its own."""
    delta: torch.Tensor | None = None
    for layer in contribution.layers:
        up = _moved(layer.up, base).to(base.dtype) * contribution.weight
        product = (up.T @ _moved(layer.down, base).to(base.dtype)).view(base.shape)
        delta = product if delta is None else delta.add_(product)
    for change in contribution.changes:
        found = materialise(change, base, stack_weight=contribution.weight)
        delta = found if delta is None else delta.add_(found)
    assert delta is not None, "a contribution has a part"
    return delta


def _magnitudes(
    contribution: Contribution, *, base: torch.Tensor
) -> Iterator[tuple[torch.Tensor, str]]:
    for layer in contribution.layers:
        if layer.magnitude is not None:
            yield _moved(layer.magnitude, base).to(base.dtype), layer.magnitude_axis
    for change in contribution.changes:
        magnitude, axis = read_magnitude(change, base)
        if magnitude is not None:
            yield magnitude, axis


def _scales(changed: torch.Tensor, *, magnitude: torch.Tensor, axis: str) -> torch.Tensor:
    """Return by how much each output (or input) of a DoRA's weight must be scaled.

    `magnitude / |changed|` as in arXiv:2402.09353: `[out, 1, …]`, or `[1, in, …]` for inputs.
    """
    kept = 0 if axis == "outputs" else 1
    others = [dimension for dimension in range(changed.dim()) if dimension != kept]
    length: torch.Tensor = torch.linalg.vector_norm(changed, dim=others, keepdim=True)
    return magnitude.view(length.shape) / length


def _in_memory_order(tensor: torch.Tensor, *, like: torch.Tensor | None = None) -> torch.Tensor:
    """Return `[rows, …]` as a matrix whose columns follow the memory; a kernel may lie last."""
    shape = tensor if like is None else like
    is_pixel_first = shape.dim() == 4 and not shape.is_contiguous()
    return (tensor.permute(0, 2, 3, 1) if is_pixel_first else tensor).flatten(1)


def _moved(tensor: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    return tensor.to(base.device, non_blocking=True)
