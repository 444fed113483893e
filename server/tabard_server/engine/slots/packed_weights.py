# SPDX-License-Identifier: Apache-2.0
"""Weights of convolutions in the order in which a CPU's kernels read them, laid out once.

oneDNN otherwise lays a weight out anew in every call. In: a convolution and its input. Out: its
packed weight for inputs of that size, or nothing where the plain call is to be made: the packed one
must give the same bits, and sooner. A weight that was written since is packed anew. One thread.
See docs/decisions/0061.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

POSITIONS_MAX = 4096
"""Positions of an output, all samples together, above which laying out is too small a part."""
SIZES_MAX = 64
"""Sizes of input that are remembered of one weight."""
_TRIALS_MAX = 4096
_INPUTS, _OUTPUTS = (16,), (24, 64)
"""Inputs and outputs of a group are filled up to blocks of these, by the processor's vectors."""
_REPEATS = 3
_OPERATORS = (
    "_convolution_pointwise",
    "_get_mkldnn_serialized_md",
    "_nbytes",
    "_reorder_convolution_weight",
)
_ONEDNN = torch.ops.mkldnn


def can_pack(*, device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether this build of torch can pack weights that lie there."""
    return (
        device.type == "cpu"
        and dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and all(hasattr(_ONEDNN, name) for name in _OPERATORS)
    )


def packable_bytes(model: nn.Module) -> int:
    """Return what the packed weights of a model take at most, in float32."""
    return 4 * sum(
        module.groups
        * _filled(module.in_channels // module.groups, blocks=_INPUTS)
        * _filled(module.out_channels // module.groups, blocks=_OUTPUTS)
        * module.weight[0, 0].numel()
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and _is_packable(module)
    )


def convolve(
    layer: nn.Conv2d, input: torch.Tensor, packed: torch.Tensor, *, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return what the layer gives for an input of the size that its weight is packed for."""
    return _ONEDNN._convolution_pointwise.default(  # type: ignore[no-any-return]
        input, packed, bias, *_options(layer), "none", [], ""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """One packed weight.

    Attributes:
        weight: Opaque; only oneDNN can read it.
        layout: Says how it is laid out: sizes of input of one layout share one packed weight.
        size_bytes: What it takes.
    """

    weight: torch.Tensor
    layout: bytes
    size_bytes: int


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What is known of one weight.

    Attributes:
        version: How often the weight had been written.
        by_size: By what a call is like, the one used last last; None: the plain call.
    """

    version: int
    by_size: OrderedDict[Hashable, _Packed | None] = field(default_factory=OrderedDict)

    def layouts(self) -> dict[bytes, _Packed]:
        """Return what lies in memory, each once."""
        return {one.layout: one for one in self.by_size.values() if one is not None}


class PackedWeights:
    """Packed weights of at most `bytes_max` bytes; who comes when they are full does without.

    A packed weight goes when its weight goes or is written, and when no remembered size needs it.
    """

    def __init__(
        self, *, bytes_max: int | None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Begin with nothing packed.

        Args:
            bytes_max: Limit of all together; None: none.
            clock: Tells seconds, for trials.
        """
        self._bytes_max = bytes_max
        self._clock = clock
        self._kept: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._trials: OrderedDict[Hashable, bool] = OrderedDict()

    @property
    def bytes(self) -> int:
        """Bytes of all packed weights."""
        weights: Iterable[_Kept] = self._kept.values()  # type: ignore[no-untyped-call]
        return sum(one.size_bytes for kept in weights for one in kept.layouts().values())

    def find(
        self, layer: nn.Conv2d, input: torch.Tensor, *, bias: torch.Tensor | None
    ) -> torch.Tensor | None:
        """Return the packed weight for a call; None: make the plain one.

        The first call of a kind and size takes a few times as long: it is tried both ways.

        Args:
            layer: The convolution, with the weight that it has now.
            input: `[batch, in, h, w]`.
            bias: What the call will add, `[out]`.
        """
        weight = layer.weight
        if not (input.is_cpu and input.is_contiguous(memory_format=torch.channels_last)):
            return None
        if not input.dtype == weight.dtype == torch.float32 or weight.is_inference():
            return None
        kept: _Kept | None = self._kept.get(weight)  # type: ignore[no-untyped-call]
        if kept is None or kept.version != weight._version:
            kept = self._kept[weight] = _Kept(version=weight._version)
        size = (input.shape, bias is None)
        if size in kept.by_size:
            kept.by_size.move_to_end(size)
        else:
            while len(kept.by_size) >= SIZES_MAX:
                kept.by_size.popitem(last=False)
            kept.by_size[size] = self._pack(layer, input.shape, kept=kept, bias=bias)
        found = kept.by_size[size]
        return None if found is None else found.weight

    def _pack(
        self, layer: nn.Conv2d, size: torch.Size, *, kept: _Kept, bias: torch.Tensor | None
    ) -> _Packed | None:
        kind = (layer.weight.shape, *_options(layer), size, bias is None)
        if not _is_packable(layer) or _positions(layer, size) > POSITIONS_MAX:
            return None
        if not self._trials.get(kind, True):
            return None
        packed = _pack(layer, size)
        known = kept.layouts().get(packed.layout)
        if known is None and not self._has_room(packed.size_bytes):
            return None
        packed = known or packed
        if kind not in self._trials:
            while len(self._trials) >= _TRIALS_MAX:
                self._trials.popitem(last=False)
            self._trials[kind] = self._pays(layer, packed.weight, size=size, bias=bias)
        return packed if self._trials[kind] else None

    def _has_room(self, size_bytes: int) -> bool:
        return self._bytes_max is None or self.bytes + size_bytes <= self._bytes_max

    def _pays(
        self,
        layer: nn.Conv2d,
        packed: torch.Tensor,
        *,
        size: torch.Size,
        bias: torch.Tensor | None,
    ) -> bool:
        """Call both ways on noise: zeros would come out alike from any two kernels."""
        noise = torch.randn(size, generator=torch.Generator().manual_seed(0))
        noise = noise.contiguous(memory_format=torch.channels_last)

        def plain() -> torch.Tensor:
            found: torch.Tensor = nn.Conv2d._conv_forward(layer, noise, layer.weight, bias)
            return found

        def quick() -> torch.Tensor:
            return convolve(layer, noise, packed, bias=bias)

        if not torch.equal(plain(), quick()):
            return False
        seconds = [(self._seconds(quick), self._seconds(plain)) for _ in range(_REPEATS)]
        return min(one for one, _ in seconds) < min(one for _, one in seconds)

    def _seconds(self, call: Callable[[], object]) -> float:
        begun_at = self._clock()
        call()
        return self._clock() - begun_at


def _is_packable(layer: nn.Conv2d) -> bool:
    """Say whether packing may help: a kernel of one pixel is a product, and other bits come out."""
    return (
        layer.kernel_size != (1, 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _filled(channels: int, *, blocks: Sequence[int]) -> int:
    return max(-(-channels // block) * block for block in blocks)


def _options(layer: nn.Conv2d) -> tuple[Any, ...]:
    return layer.padding, layer.stride, layer.dilation, layer.groups


def _positions(layer: nn.Conv2d, size: torch.Size) -> int:
    batch, _, height, width = size
    return batch * -(-height // layer.stride[0]) * -(-width // layer.stride[1])


def _pack(layer: nn.Conv2d, size: torch.Size) -> _Packed:
    packed = _ONEDNN._reorder_convolution_weight.default(layer.weight, *_options(layer), list(size))
    return _Packed(
        weight=packed,
        layout=_ONEDNN._get_mkldnn_serialized_md.default(packed).numpy().tobytes(),
        size_bytes=int(_ONEDNN._nbytes.default(packed)),
    )
