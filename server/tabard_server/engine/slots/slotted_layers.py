# SPDX-License-Identifier: Apache-2.0
"""Base layers that can wear another adapter in every row of a batch.

A layer keeps its base weight untouched and gains two tables of rank rows, `down [P, in * kernel]`
and `up [P, out]`. A `Binding`, shared by all layers of one component, says which rank rows each row
of the batch gathers, and with which weight. Row 0 of every table is zero and pads short rows.
Knows nothing of adapters, slots or samplers.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

import torch
from torch import nn
from torch.nn import functional

from tabard_server.engine.slots.magnitudes import excesses
from tabard_server.engine.slots.packed_weights import PackedWeights, convolve
from tabard_server.engine.slots.worn_rows import (
    SCRATCH_BYTES_MAX,
    Binding,
    Fused,
    Gathered,
    Scaling,
    WornRows,
)

_NEVER: Mapping[int, Fused] = MappingProxyType({})


class SlottedLinear(nn.Linear):
    """A linear layer whose rows may each wear their own low-rank delta and magnitude."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding
    slot_block: int
    slot_fused: Mapping[int, Fused]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return `x W^T + b` plus each row's delta; shape `[batch, …, in] -> [batch, …, out]`."""
        fused = _fused_by(self)
        if fused is not None:
            x = input.reshape(_rows_of(self), -1, input.shape[-1])
            return _multiply(self, x, fused).view(*input.shape[:-1], -1)
        worn = _worn_by(self)
        if worn is None:
            return functional.linear(input, _base_weight(self, input), self.bias)
        x = input.reshape(worn.down.shape[0], -1, input.shape[-1])
        if worn.is_scaled:
            base = functional.linear(_scaled(x, worn.inputs), _base_weight(self, x))
            base = _scaled(base, worn.outputs)
            base = base if self.bias is None else base + self.bias
        else:
            base = functional.linear(x, _base_weight(self, x), self.bias)
        hidden = torch.bmm(x, worn.down.transpose(1, 2))
        return worn.add(base, hidden).view(*input.shape[:-1], -1)


class SlottedConv2d(nn.Conv2d):
    """A convolution whose rows may each wear their own low-rank delta and magnitude."""

    slot_down: torch.Tensor
    slot_up: torch.Tensor
    slot_binding: Binding
    slot_block: int
    slot_fused: Mapping[int, Fused]
    slot_packed: PackedWeights | None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution plus each row's delta; `[batch, in, h, w]` to `[…, out, h', w']`.

        The up factor is a 1x1 convolution: one product per row over all its pixels.
        """
        fused = _fused_by(self)
        if fused is not None:
            batch, _, height, width = input.shape
            found = _multiply(self, _pixels(input, rows=_rows_of(self)), fused)
            return found.view(batch, height, width, -1).permute(0, 3, 1, 2)
        worn = _worn_by(self)
        if worn is None:
            return self._conv_forward(input, self.weight, self.bias)
        if worn.is_scaled:
            x = _scaled_channels(input, worn.inputs)
            output = _scaled_channels(self._conv_forward(x, self.weight, None), worn.outputs)
            output = output if self.bias is None else output + self.bias.view(-1, 1, 1)
        else:
            output = self._conv_forward(input, self.weight, self.bias)
        rows = worn.up.shape[0]
        base, hidden = _pixels(output, rows=rows), self._down(input, worn.down)
        batch, outputs, height, width = output.shape
        changed = worn.add(base, hidden).view(batch, height, width, outputs)
        return changed.permute(0, 3, 1, 2)

    @property
    def is_product(self) -> bool:
        """Say whether it is a product over channels, pixel by pixel."""
        return self.kernel_size == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0)

    def _conv_forward(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """Call the base convolution, with its weight packed where that is worth it."""
        packed = None if self.slot_packed is None else self.slot_packed.find(self, input, bias=bias)
        if packed is not None:
            return convolve(self, input, packed, bias=bias)
        found: torch.Tensor = super()._conv_forward(input, _base_weight(self, input), bias)
        return found

    def _down(self, input: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        """Apply each row's down factor: `[batch, in, h, w]` to `[rows, samples * h' * w', R]`.

        A row is a group of one grouped convolution; without a kernel it is one product.
        """
        rows, ranks, _ = down.shape
        if self.is_product:
            return torch.bmm(_pixels(input, rows=rows), down.transpose(1, 2))
        batch, channels, height, width = input.shape
        samples = batch // rows
        by_group = input.reshape(rows, samples, channels, height, width).transpose(0, 1)
        hidden = functional.conv2d(
            by_group.reshape(samples, rows * channels, height, width),
            down.view(rows * ranks, channels, *self.kernel_size),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=rows,
        )
        by_row = hidden.view(samples, rows, ranks, -1).permute(1, 0, 3, 2)
        return by_row.reshape(rows, -1, ranks)


SlottedLayer = SlottedLinear | SlottedConv2d


def is_slottable(module: nn.Module) -> bool:
    """Say whether this layer can be given slots: linear, or an ungrouped convolution."""
    if isinstance(module, nn.Linear):
        return True
    return isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros"


def has_kernel(module: nn.Module) -> bool:
    """Say whether it is a convolution of more than one pixel."""
    return isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1)


def add_slots(
    module: nn.Module,
    *,
    binding: Binding,
    rank_rows: int,
    block: int = 0,
    packed: PackedWeights | None = None,
    has_tables: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> SlottedLayer:
    """Turn a base layer into a slotted one, in place, without touching its weights.

    The tables are non-persistent buffers: `state_dict` keys stay as they were. Until an adapter
    needs them they are one zero that is seen everywhere.

    Args:
        module: A layer for which `is_slottable` holds.
        binding: The binding of the layer's component.
        rank_rows: Rows of the tables, the zero row included.
        block: In which block of its component it lies.
        packed: Where a convolution finds its weight packed; None: it never is.
        has_tables: Make the tables at once: for a compiled model, to which others would be a new
            graph.
        dtype: Of the tables; None: that of the weight, which may be kept in fewer bits.
        device: Where the tables lie; None: where the weight does, which may be elsewhere meanwhile.
    """
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    outputs, inputs = int(weight.shape[0]), weight[0].numel()
    module.__class__ = SlottedLinear if isinstance(module, nn.Linear) else SlottedConv2d
    assert isinstance(module, SlottedLinear | SlottedConv2d)
    for name, width in (("slot_down", inputs), ("slot_up", outputs)):
        zeros = weight.new_zeros((), dtype=dtype, device=device).expand(rank_rows, width)
        module.register_buffer(name, zeros, persistent=False)
    module.slot_binding = binding
    module.slot_block = block
    module.slot_fused = _NEVER
    if isinstance(module, SlottedConv2d):
        module.slot_packed = packed
    if has_tables:
        make_tables(module)
    return module


def make_tables(layer: SlottedLayer) -> None:
    """Give a layer's tables memory of their own, zeros, if they have none yet."""
    # Whoever calls may be in inference mode, outside of which such memory could not be written.
    with torch.inference_mode(mode=False):
        for name in ("slot_down", "slot_up"):
            table = getattr(layer, name)
            if table.untyped_storage().nbytes() < table.nbytes:
                setattr(layer, name, torch.zeros_like(table, memory_format=torch.contiguous_format))


def _worn_by(layer: SlottedLayer) -> Gathered | None:
    """Return what the rows of this pass wear in a layer; None when that is nothing."""
    worn = layer.slot_binding.worn
    if worn is None or not _is_among(layer, worn.active):
        return None
    if torch.compiler.is_compiling():
        return _gather(layer, worn)
    found = worn.gathered.get(id(layer))
    if found is not None:
        return found
    width_bytes = layer.slot_down[0].nbytes + layer.slot_up[0].nbytes
    size_bytes = worn.index.numel() * width_bytes
    if size_bytes > worn.room_bytes:
        return _gather(layer, worn, scratch=layer.slot_binding.scratch)
    worn.room_bytes -= size_bytes
    worn.gathered[id(layer)] = found = _gather(layer, worn)
    return found


def _fused_by(layer: SlottedLayer) -> Fused | None:
    """Return the kernel for what the rows of this pass wear in a layer; None: plain calls."""
    worn = layer.slot_binding.worn
    if worn is None or not worn.may_fuse or not _is_among(layer, worn.active):
        return None
    scaling = worn.scaling
    if scaling is not None and (
        _is_among(layer, scaling.outputs) or _is_among(layer, scaling.inputs)
    ):
        return None
    return layer.slot_fused.get(worn.index.shape[1])


def _rows_of(layer: SlottedLayer) -> int:
    worn = layer.slot_binding.worn
    assert worn is not None
    return worn.index.shape[0]


def _multiply(layer: SlottedLayer, x: torch.Tensor, fused: Fused) -> torch.Tensor:
    """Call a layer's kernel: `[rows, pixels, in]` to `[rows, pixels, out]`."""
    worn = layer.slot_binding.worn
    assert worn is not None
    return fused(
        x.contiguous(),
        _base_weight(layer, x).view(layer.weight.shape[0], -1),
        layer.bias,
        down=layer.slot_down,
        up=layer.slot_up,
        index=worn.index,
        strength=_of_block(worn.weight, layer, dimensions=3),
    )


def _base_weight(layer: SlottedLayer, x: torch.Tensor) -> torch.Tensor:
    """Return a layer's weight in the dtype of what it reads; one kept in eight bits is cast."""
    return layer.weight if layer.weight.dtype == x.dtype else layer.weight.to(x.dtype)


def _is_among(layer: SlottedLayer, layers: AbstractSet[int] | None) -> bool:
    return layers is None or id(layer) in layers


def _gather(
    layer: SlottedLayer, worn: WornRows, *, scratch: dict[str, torch.Tensor] | None = None
) -> Gathered:
    """Gather each row's rank rows, and fold weights and magnitudes into the small factors.

    Args:
        layer: Whose tables.
        worn: Which rank rows.
        scratch: Memory that the next layer may have; None: it is to stay. On a CPU memory that was
            used a moment ago is in its caches, and new memory costs as much as the copy itself.
    """
    down = _take(layer.slot_down, worn.index, out=_room(scratch, "down", layer.slot_down, worn))
    up = _take(layer.slot_up, worn.index, out=_room(scratch, "up", layer.slot_up, worn))
    weight = _of_block(worn.weight, layer, dimensions=3)
    if worn.is_weighed_between:
        return Gathered(down=down, up=up, between=weight.transpose(1, 2))
    up = up.mul_(weight)
    scaling = worn.scaling
    inputs = outputs = None
    if scaling is not None and _is_among(layer, scaling.outputs):
        beyond = _excesses(layer.slot_up, scaling, layer=layer).to(up.dtype)
        up, outputs = torch.addcmul(up, up, torch.bmm(scaling.share, beyond)), beyond[:, 0]
    if scaling is not None and _is_among(layer, scaling.inputs):
        channels = layer.weight.shape[1]
        beyond = _excesses(layer.slot_down[:, :channels], scaling, layer=layer).to(down.dtype)
        area = down.shape[2] // channels
        by_column = torch.bmm(scaling.share, beyond).repeat_interleave(area, 2)
        down, inputs = torch.addcmul(down, down, by_column), beyond[:, 0]
    return Gathered(down=down, up=up, inputs=inputs, outputs=outputs)


def _pixels(images: torch.Tensor, *, rows: int) -> torch.Tensor:
    """See `[batch, channels, h, w]` as `[rows, samples * h * w, channels]`.

    No copy where channels lie last, as in the engine.
    """
    return images.permute(0, 2, 3, 1).reshape(rows, -1, images.shape[1])


def _take(
    table: torch.Tensor, index: torch.Tensor, *, out: torch.Tensor | None = None
) -> torch.Tensor:
    return torch.index_select(table, 0, index.reshape(-1), out=out).view(*index.shape, -1)


def _room(
    scratch: dict[str, torch.Tensor] | None, name: str, table: torch.Tensor, worn: WornRows
) -> torch.Tensor | None:
    """Return room for the rank rows of a table, `[rows * R, width]`."""
    if scratch is None:
        return None
    size = worn.index.numel() * table.shape[1]
    if size * table.itemsize > SCRATCH_BYTES_MAX // 2:
        return None
    if name not in scratch or scratch[name].numel() < size:
        scratch[name] = table.new_empty(size)
    return scratch[name][:size].view(-1, table.shape[1])


def _excesses(table: torch.Tensor, scaling: Scaling, *, layer: SlottedLayer) -> torch.Tensor:
    index = _of_block(scaling.index, layer, dimensions=1)
    weight = _of_block(scaling.weight, layer, dimensions=3)
    vectors = table.index_select(0, index).view(weight.shape[0], -1, table.shape[1])
    return excesses(vectors, weight=weight)


def _of_block(values: torch.Tensor, layer: SlottedLayer, *, dimensions: int) -> torch.Tensor:
    """Return what holds in a layer's block, of what may say one thing for each."""
    return values[layer.slot_block] if values.dim() > dimensions else values


def _scaled(x: torch.Tensor, beyond: torch.Tensor | None) -> torch.Tensor:
    return x if beyond is None else torch.addcmul(x, x, beyond.unsqueeze(1))


def _scaled_channels(x: torch.Tensor, beyond: torch.Tensor | None) -> torch.Tensor:
    if beyond is None:
        return x
    per_sample = beyond.repeat_interleave(x.shape[0] // beyond.shape[0], 0)
    return torch.addcmul(x, x, per_sample[:, :, None, None])
