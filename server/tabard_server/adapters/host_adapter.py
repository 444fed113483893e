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
from tabard_server.adapters.new_slab import Piece, new_slab
from tabard_server.adapters.slab_layout import LayerKey, LayerPlace, Row, SlabLayout, layout_of
from tabard_server.engine_port.stack import Stack

MAGNITUDE_ROWS = 3
"""Rank rows that hold what a slot must know of magnitudes, beside the factors."""


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


class SlabLayers(Mapping[LayerKey, PackedLayer]):
    """The layers of a slab, as views that are made when the first of them is looked at.

    Attributes:
        layout: Where they lie.
    """

    __slots__ = ("_slab", "_views", "layout")

    def __init__(self, layout: SlabLayout, *, slab: torch.Tensor) -> None:
        self.layout = layout
        self._slab = slab
        self._views: dict[LayerKey, PackedLayer] | None = None

    def __getitem__(self, key: LayerKey) -> PackedLayer:
        if self._views is None:
            dtype = self.layout.dtype
            # There are hundreds: one call for each view, through one tensor of each dtype.
            flat, broad = self._slab.view(dtype), self._slab.view(wide(dtype))
            places = self.layout.layers.items()
            self._views = {key: _packed(place, flat=flat, broad=broad) for key, place in places}
        return self._views[key]

    def __iter__(self) -> Iterator[LayerKey]:
        return iter(self.layout.layers)

    def __len__(self) -> int:
        return len(self.layout.layers)


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
    def layout(self) -> SlabLayout:
        """Where its layers lie in its slab."""
        if isinstance(self.layers, SlabLayers):
            return self.layers.layout
        assert not self.layers, "layers lie in a slab"
        return layout_of((), dtype=torch.float32)

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

    The `up` of each layer is multiplied with its number of `scales`; None: with none of them.

    Raises:
        NotRepresentable: A factor is too large for `dtype`.
    """
    factors = zip(layers.values(), scales or [1.0] * len(layers), strict=True)
    pieces = list(_pieces(factors, changes=changes, dtype=dtype))
    slab, views = new_slab(pieces, is_pinned=is_pinned)
    for view, (piece, _, scale) in zip(views, pieces, strict=True):
        _copy_scaled(piece, view, scale=scale)
    remaining = iter(views)
    layout = layout_of(list(_rows(layers, views=remaining)), dtype=dtype)
    _check_range(views[: sum(len(x.tensors()) for x in layers.values())], dtype=dtype)
    slab_bytes = slab.nbytes if slab is not None else 0
    return HostAdapter(
        digest=digest,
        kind=kind,
        rank=max((place.rank for place in layout.layers.values()), default=0),
        layers={} if slab is None else SlabLayers(layout, slab=slab),
        magnitude_rows=MAGNITUDE_ROWS if any(x.axis for x in layout.layers.values()) else 0,
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
    parts = (view for change in adapter.changes for view in change.parts.values())
    return replace(
        adapter,
        slab=slab,
        layers=SlabLayers(adapter.layout, slab=slab),
        changes=_as_changes(
            adapter.changes,
            views=(_same_view(view, origin=origin, slab=slab) for view in parts),
        ),
    )


def place_of(view: torch.Tensor) -> int:
    """Return the first byte of a view in its slab, which begins its memory."""
    return int(view.storage_offset()) * view.itemsize


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return in what norms and magnitudes are computed for a model of this dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _pieces(
    factors: Iterable[tuple[PackedLayer, float]],
    *,
    changes: tuple[HostChange, ...],
    dtype: torch.dtype,
) -> Iterator[Piece]:
    """Yield what lies in a slab, layers first, in which dtype, and what it is multiplied with."""
    for layer, scale in factors:
        yield layer.down, dtype, 1.0
        yield layer.up, dtype, scale
        if layer.magnitude is not None:
            yield layer.magnitude, wide(dtype), 1.0
    for change in changes:
        for tensor in change.parts.values():
            yield tensor, tensor.dtype, 1.0


def _copy_scaled(piece: torch.Tensor, view: torch.Tensor, *, scale: float) -> None:
    """Multiply a factor in float32 at least, and round it once."""
    if scale == 1.0:
        view.copy_(piece)
    elif view.dtype == wide(view.dtype):
        view.copy_(piece).mul_(scale)
    else:
        # Narrowed before it is copied: a transposed copy is fast in one dtype.
        view.copy_(piece.to(wide(view.dtype)).mul(scale).to(view.dtype))


def _rows(
    layers: Mapping[LayerKey, PackedLayer], *, views: Iterator[torch.Tensor]
) -> Iterator[Row]:
    """Say where each layer lies, by its views into a slab."""
    for (component, module), layer in layers.items():
        down, up = next(views), next(views)
        (rank, inputs), outputs = down.shape, up.shape[1]
        row: Row = (component, module, rank, inputs, outputs, place_of(down), place_of(up))
        if layer.magnitude is not None:
            magnitude = next(views)
            row += (place_of(magnitude), magnitude.numel(), layer.magnitude_axis)
        yield row


def _packed(place: LayerPlace, *, flat: torch.Tensor, broad: torch.Tensor) -> PackedLayer:
    """See a layer where it lies, in one tensor of its dtype and one of its magnitude's."""
    rank, inputs, outputs = place.rank, place.inputs, place.outputs
    origin, itemsize = flat.storage_offset(), flat.itemsize
    magnitude = None
    if place.magnitude is not None:
        at = broad.storage_offset() + place.magnitude // broad.itemsize
        magnitude = broad.as_strided((place.width,), (1,), at)
    return PackedLayer(
        down=flat.as_strided((rank, inputs), (inputs, 1), origin + place.down // itemsize),
        up=flat.as_strided((rank, outputs), (outputs, 1), origin + place.up // itemsize),
        magnitude=magnitude,
        magnitude_axis=place.axis,
    )


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


def _check_range(views: Sequence[torch.Tensor], *, dtype: torch.dtype) -> None:
    """Only float16 has less range than what the intake lets through."""
    if dtype != torch.float16:
        return
    # By their bits: torch takes longer to ask this of float16 than to copy it.
    if not all(
        are_finite(view.reshape(-1).view(torch.uint8).numpy(), dtype="F16")
        for view in views
        if view.dtype == dtype
    ):
        raise NotRepresentable("a factor is larger than float16 can say")
