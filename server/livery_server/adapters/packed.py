# SPDX-License-Identifier: Apache-2.0
"""An adapter in host memory: one slab that holds every layer, so that filling a slot is one copy.

In: a verified canonical file and its manifest. Out: a `HostAdapter`, scale folded into `up`.
Knows nothing of devices, rows or files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from livery_registry import Canonical, Manifest
from livery_registry.canonical import Layer

LayerKey = tuple[str, str]
MAGNITUDE_ROWS = 3
"""Rank rows that hold what a slot must know of magnitudes, beside the factors."""

_ALIGNMENT_BYTES = 16


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
class HostAdapter:
    """One release in host memory. Immutable; shared by every row that wears it.

    Attributes:
        digest: `sha256:…` of the release.
        kind: `lora`, `dreambooth` or `textual_inversion`.
        rank: Largest rank of a layer; 0 when it changes no layer.
        layers: Deltas by (component, module): views into the slab.
        magnitude_rows: Rank rows that its magnitudes take beside those of its factors.
        slab: All bytes of all layers, side by side; None when it changes no layer.
        tokens: Placeholders, as the manifest names them.
        resident_bytes: Bytes of all tensors.
    """

    digest: str
    kind: str
    rank: int
    layers: Mapping[LayerKey, PackedLayer]
    magnitude_rows: int = 0
    slab: torch.Tensor | None = None
    tokens: tuple[TokenVectors, ...]
    resident_bytes: int

    @property
    def rank_rows(self) -> int:
        """Rank rows it takes in a slot."""
        return self.rank + self.magnitude_rows


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
        {
            (layer.component, layer.module): _fold(layer, dtype=wide(dtype))
            for layer in canonical.layers
        },
        digest=str(manifest.digest),
        kind=manifest.kind,
        tokens=tuple(_take_tokens(canonical, manifest=manifest)),
        dtype=dtype,
        is_pinned=is_pinned,
    )


def lay_out(
    layers: Mapping[LayerKey, PackedLayer],
    *,
    digest: str,
    kind: str = "lora",
    tokens: tuple[TokenVectors, ...] = (),
    dtype: torch.dtype = torch.float32,
    is_pinned: bool = False,
) -> HostAdapter:
    """Copy layers into one slab, factors in `dtype` and magnitudes as wide as they are computed.

    Raises:
        NotRepresentable: A factor is too large for `dtype`.
    """
    pieces = [tensor for layer in layers.values() for tensor in layer.tensors()]
    dtypes = [
        wide(dtype) if tensor is layer.magnitude else dtype
        for layer in layers.values()
        for tensor in layer.tensors()
    ]
    offsets = [0]
    for piece, kept in zip(pieces, dtypes, strict=True):
        offsets.append(_aligned(offsets[-1] + piece.numel() * kept.itemsize))
    slab = torch.empty(offsets[-1], dtype=torch.uint8, pin_memory=is_pinned) if layers else None
    views: list[torch.Tensor] = []
    for piece, kept, start in zip(pieces, dtypes, offsets, strict=False):
        assert slab is not None
        stop = start + piece.numel() * kept.itemsize
        views.append(slab[start:stop].view(kept).view(piece.shape).copy_(piece))
    _check_range(views, dtype=dtype)
    laid = _as_layers(layers, views=views)
    slab_bytes = slab.nbytes if slab is not None else 0
    return HostAdapter(
        digest=digest,
        kind=kind,
        rank=max((layer.down.shape[0] for layer in laid.values()), default=0),
        layers=laid,
        magnitude_rows=MAGNITUDE_ROWS if any(x.magnitude_axis for x in laid.values()) else 0,
        slab=slab,
        tokens=tokens,
        resident_bytes=slab_bytes + sum(entry.vectors.nbytes for entry in tokens),
    )


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return in what norms and magnitudes are computed for a model of this dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _as_layers(
    layers: Mapping[LayerKey, PackedLayer], *, views: list[torch.Tensor]
) -> dict[LayerKey, PackedLayer]:
    remaining = iter(views)
    return {
        key: PackedLayer(
            down=next(remaining),
            up=next(remaining),
            magnitude=next(remaining) if layer.magnitude is not None else None,
            magnitude_axis=layer.magnitude_axis,
        )
        for key, layer in layers.items()
    }


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


def _fold(layer: Layer, *, dtype: torch.dtype) -> PackedLayer:
    """Fold the scale into `up`; the arrays are private maps of the file, read once."""
    magnitude = layer.magnitude
    return PackedLayer(
        down=torch.from_numpy(layer.down).flatten(1),
        up=(torch.from_numpy(layer.up).to(dtype) * layer.scale).T,
        magnitude=None if magnitude is None else torch.from_numpy(magnitude),
        magnitude_axis=layer.magnitude_axis,
    )


def _check_range(views: list[torch.Tensor], *, dtype: torch.dtype) -> None:
    """Only float16 has less range than what the intake lets through."""
    if dtype == torch.float16 and not all(bool(torch.isfinite(view).all()) for view in views):
        raise NotRepresentable("a factor is larger than float16 can say")


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
