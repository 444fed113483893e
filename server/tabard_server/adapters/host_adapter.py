# SPDX-License-Identifier: Apache-2.0
"""An adapter in host memory: one slab of all it changes, so that a move to the device is one copy.

In: a verified canonical file and its manifest. Out: a `HostAdapter`, scale folded into `up`.
Knows nothing of devices, rows or files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from tabard_registry import Canonical, Manifest
from tabard_registry.content.canonical import Change, Layer
from tabard_registry.intake.files.finite import are_finite
from tabard_server.engine_port.stack import Stack

LayerKey = tuple[str, str]
MAGNITUDE_ROWS = 3
"""Rank rows that hold what a slot must know of magnitudes, beside the factors."""

_ALIGNMENT_BYTES = 16

_Piece = tuple[torch.Tensor, torch.dtype, float]
"""What is copied into a slab, as which dtype, and what it is multiplied with."""


class NotRepresentable(ValueError):
    """A factor is too large for the engine's dtype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """The low-rank delta of one layer: `delta(x) = (x @ down.T) @ up`.

    Attributes:
        down: Shape `[rank, in * kernel height * kernel width]`.
        up: Shape `[rank, out]`, already multiplied by its scale.
        magnitude: DoRA's magnitude `[in]` or `[out]`, float32 or wider; None without one.
        magnitude_axis: `inputs`, `outputs`, or empty without one.
    """

    down: torch.Tensor
    up: torch.Tensor
    magnitude: torch.Tensor | None = None
    magnitude_axis: str = ""

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Return what it has, the magnitude last."""
        factors = (self.down, self.up)
        return factors if self.magnitude is None else (*factors, self.magnitude)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVectors:
    """What a placeholder token stands for in one text encoder.

    Attributes:
        component: The text encoder.
        token: The placeholder, as written in prompts.
        vectors: Shape `[count, width]`, float32.
    """

    component: str
    token: str
    vectors: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostChange:
    """A change of one parameter that is not low-rank, so that only a merged copy can wear it.

    Attributes:
        component: Which model.
        parameter: Name of the parameter as the base profile has it, `….weight` or `….bias`.
        method: How the change follows from its parts, like `dense` or `oft`.
        scale: What the change is multiplied with, beside the weight in a stack.
        options: What else the method must know.
        parts: Its arrays by name: views into the slab, in their stored dtype.
    """

    component: str
    parameter: str
    method: str
    scale: float
    options: Mapping[str, float | str | bool]
    parts: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostAdapter:
    """One release in host memory. Immutable; shared by every row that wears it.

    Attributes:
        digest: `sha256:…` of the release.
        kind: `lora`, `dreambooth` or `textual_inversion`.
        rank: Largest rank of a layer; 0 when it changes no layer.
        layers: Deltas by (component, module): views into the slab.
        magnitude_rows: Rank rows that its magnitudes take beside those of its factors.
        slab: All bytes of all layers and changes, side by side; None when it has neither.
        tokens: Placeholders, as the manifest names them.
        changes: What only a merged copy can wear.
        resident_bytes: Bytes of all tensors.
    """

    digest: str
    kind: str
    rank: int
    layers: Mapping[LayerKey, PackedLayer]
    magnitude_rows: int = 0
    slab: torch.Tensor | None = None
    tokens: tuple[TokenVectors, ...]
    changes: tuple[HostChange, ...] = ()
    resident_bytes: int

    @property
    def changes_weights(self) -> bool:
        """Say whether it changes any weight of the base; a placeholder token changes none."""
        return bool(self.layers or self.changes)

    @property
    def rank_rows(self) -> int:
        """Rank rows it takes in a slot; none when it is only worn merged."""
        return 0 if self.is_merged_only else self.rank + self.magnitude_rows

    @property
    def is_merged_only(self) -> bool:
        """Say whether a part of it is not low-rank."""
        return bool(self.changes)


def adapters_of(stack: Stack) -> list[HostAdapter]:
    """Return the adapters of a stack as what they are to those who draw with them."""
    found = []
    for adapter, _ in stack:
        assert isinstance(adapter, HostAdapter), "an engine wears what was packed here"
        found.append(adapter)
    return found


def pack(
    canonical: Canonical,
    *,
    manifest: Manifest,
    dtype: torch.dtype = torch.float32,
    is_pinned: bool = False,
) -> HostAdapter:
    """Fold scales in float32, cast to `dtype`, and lay everything into one slab.

    Args:
        canonical: Arrays as `read_canonical` gives them.
        manifest: The release's manifest.
        dtype: The engine's dtype, so that filling a slot converts nothing.
        is_pinned: Whether the slab is page-locked, for an engine on a CUDA device.

    Raises:
        NotRepresentable: A factor is too large for `dtype`.
    """
    return lay_out(
        {(layer.component, layer.module): _unscaled(layer) for layer in canonical.layers},
        digest=str(manifest.digest),
        kind=manifest.kind,
        tokens=tuple(_take_tokens(canonical, manifest=manifest)),
        changes=tuple(map(_as_stored, canonical.changes)),
        scales=[layer.scale for layer in canonical.layers],
        dtype=dtype,
        is_pinned=is_pinned,
    )


def lay_out(
    layers: Mapping[LayerKey, PackedLayer],
    *,
    digest: str,
    kind: str = "lora",
    tokens: tuple[TokenVectors, ...] = (),
    changes: tuple[HostChange, ...] = (),
    scales: Sequence[float] | None = None,
    dtype: torch.dtype = torch.float32,
    is_pinned: bool = False,
) -> HostAdapter:
    """Copy everything into one slab: factors in `dtype`, magnitudes wide, parts as they are.

    Args:
        layers: Deltas by (component, module).
        digest: `sha256:…` of the release.
        kind: `lora`, `dreambooth` or `textual_inversion`.
        tokens: Placeholders.
        changes: What only a merged copy can wear.
        scales: What the `up` of each layer is multiplied with, in its order; None: nothing.
        dtype: The engine's dtype.
        is_pinned: Whether the slab is page-locked.

    Raises:
        NotRepresentable: A factor is too large for `dtype`.
    """
    factors = zip(layers.values(), scales or [1.0] * len(layers), strict=True)
    pieces = list(_pieces(factors, changes=changes, dtype=dtype))
    slab, views = _new_slab(pieces, is_pinned=is_pinned)
    for view, (piece, _, scale) in zip(views, pieces, strict=True):
        _copy_scaled(piece, view, scale=scale)
    remaining = iter(views)
    laid = _as_layers(layers, views=remaining)
    _check_range(laid, dtype=dtype)
    slab_bytes = slab.nbytes if slab is not None else 0
    return HostAdapter(
        digest=digest,
        kind=kind,
        rank=max((layer.down.shape[0] for layer in laid.values()), default=0),
        layers=laid,
        magnitude_rows=MAGNITUDE_ROWS if any(x.magnitude_axis for x in laid.values()) else 0,
        slab=slab,
        tokens=tokens,
        changes=_as_changes(changes, views=remaining),
        resident_bytes=slab_bytes + sum(entry.vectors.nbytes for entry in tokens),
    )


def named_views(adapter: HostAdapter) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every view into the slab, in its order, under the name it has in a canonical file."""
    for (component, module), layer in adapter.layers.items():
        for part, view in zip(("down", "up", "magnitude"), layer.tensors(), strict=False):
            yield f"{component}:{module}:{part}", view
    for change in adapter.changes:
        for part, view in change.parts.items():
            yield f"{change.component}:{change.parameter}:{change.method}.{part}", view


def seen_in(adapter: HostAdapter, slab: torch.Tensor) -> HostAdapter:
    """Return the same adapter with every view into another copy of its slab, on any device."""
    origin = adapter.slab
    assert origin is not None, "only what has a slab can be seen in another"
    views = (_same_view(view, origin=origin, slab=slab) for _, view in named_views(adapter))
    return replace(
        adapter,
        slab=slab,
        layers=_as_layers(adapter.layers, views=views),
        changes=_as_changes(adapter.changes, views=views),
    )


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return in what norms and magnitudes are computed for a model of this dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _pieces(
    factors: Iterable[tuple[PackedLayer, float]],
    *,
    changes: tuple[HostChange, ...],
    dtype: torch.dtype,
) -> Iterator[_Piece]:
    """Yield what lies in a slab, layers first, in which dtype, and what it is multiplied with."""
    for layer, scale in factors:
        yield layer.down, dtype, 1.0
        yield layer.up, dtype, scale
        if layer.magnitude is not None:
            yield layer.magnitude, wide(dtype), 1.0
    for change in changes:
        for tensor in change.parts.values():
            yield tensor, tensor.dtype, 1.0


def _new_slab(
    pieces: Sequence[_Piece], *, is_pinned: bool
) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """Make a slab, and a view for each piece; what lies between them is zero."""
    if not pieces:
        return None, []
    starts, stop = [], 0
    for piece, dtype, _ in pieces:
        starts.append(_aligned(stop))
        stop = starts[-1] + piece.numel() * dtype.itemsize
    slab = torch.empty(_aligned(stop), dtype=torch.uint8, pin_memory=is_pinned)
    # There are hundreds: one call for each view, through one tensor of each dtype.
    flat = {dtype: slab.view(dtype) for dtype in {dtype for _, dtype, _ in pieces}}
    views = []
    for (piece, dtype, _), start, end in zip(pieces, starts, [*starts[1:], len(slab)], strict=True):
        shape, stride = piece.shape, _dense_strides(piece.shape)
        views.append(flat[dtype].as_strided(shape, stride, start // dtype.itemsize))
        stop = start + piece.numel() * dtype.itemsize
        if stop < end:
            # Slabs are kept on disk: no bytes of other things may lie between the views.
            slab[stop:end] = 0
    return slab, views


def _dense_strides(shape: Sequence[int]) -> list[int]:
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    return strides[: len(shape)]


def _copy_scaled(piece: torch.Tensor, view: torch.Tensor, *, scale: float) -> None:
    """Multiply a factor in float32 at least, and round it once."""
    if scale == 1.0:
        view.copy_(piece)
    elif view.dtype == wide(view.dtype):
        view.copy_(piece).mul_(scale)
    else:
        # Narrowed before it is copied: a transposed copy is fast in one dtype.
        view.copy_(piece.to(wide(view.dtype)).mul(scale).to(view.dtype))


def _as_layers(
    layers: Mapping[LayerKey, PackedLayer], *, views: Iterator[torch.Tensor]
) -> dict[LayerKey, PackedLayer]:
    return {
        key: PackedLayer(
            down=next(views),
            up=next(views),
            magnitude=next(views) if layer.magnitude is not None else None,
            magnitude_axis=layer.magnitude_axis,
        )
        for key, layer in layers.items()
    }


def _as_changes(
    changes: tuple[HostChange, ...], *, views: Iterator[torch.Tensor]
) -> tuple[HostChange, ...]:
    return tuple(
        replace(change, parts={name: next(views) for name in change.parts}) for change in changes
    )


def _same_view(view: torch.Tensor, *, origin: torch.Tensor, slab: torch.Tensor) -> torch.Tensor:
    start = view.storage_offset() * view.itemsize - origin.storage_offset()
    return slab[start : start + view.nbytes].view(view.dtype).view(view.shape)


def _as_stored(change: Change) -> HostChange:
    return HostChange(
        component=change.component,
        parameter=change.parameter,
        method=change.method,
        scale=change.scale,
        options=change.options,
        parts={name: torch.from_numpy(found) for name, found in change.parts.items()},
    )


def _take_tokens(canonical: Canonical, *, manifest: Manifest) -> Iterator[TokenVectors]:
    """Cut each component's rows into tokens, in the order of the manifest."""
    taken: dict[str, int] = {}
    for entry in manifest.tokens:
        first = taken.get(entry.component, 0)
        taken[entry.component] = first + entry.count
        rows = canonical.tokens[entry.component][first : first + entry.count]
        yield TokenVectors(
            component=entry.component, token=entry.token, vectors=torch.tensor(rows).float()
        )


def _unscaled(layer: Layer) -> PackedLayer:
    """See a layer's arrays, which are private maps of the file, as they shall lie."""
    magnitude = layer.magnitude
    return PackedLayer(
        down=torch.from_numpy(layer.down).flatten(1),
        up=torch.from_numpy(layer.up).T,
        magnitude=None if magnitude is None else torch.from_numpy(magnitude),
        magnitude_axis=layer.magnitude_axis,
    )


def _check_range(layers: Mapping[LayerKey, PackedLayer], *, dtype: torch.dtype) -> None:
    """Only float16 has less range than what the intake lets through."""
    if dtype != torch.float16:
        return
    factors = (view for layer in layers.values() for view in (layer.down, layer.up))
    # By their bits: torch takes longer to ask this of float16 than to copy it.
    if not all(
        are_finite(view.view(-1).view(torch.uint8).numpy(), dtype="F16") for view in factors
    ):
        raise NotRepresentable("a factor is larger than float16 can say")


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
