# SPDX-License-Identifier: Apache-2.0
"""An adapter in host memory, packed so that filling a slot is nothing but copies.

In: a verified canonical file and its manifest. Out: a `HostAdapter`, scale folded into `up`.
Knows nothing of devices, rows or files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from livery_registry import Canonical, Manifest

LayerKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """The low-rank delta of one layer: `delta(x) = (x @ down.T) @ up`.

    Attributes:
        down: Shape `[rank, in]`.
        up: Shape `[rank, out]`, already multiplied by alpha / rank.
    """

    down: torch.Tensor
    up: torch.Tensor


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
        rank: Rank rows it takes in a slot; 0 when it changes no layer.
        layers: Deltas by (component, module).
        tokens: Placeholders, as the manifest names them.
        resident_bytes: Bytes of all tensors.
    """

    digest: str
    kind: str
    rank: int
    layers: Mapping[LayerKey, PackedLayer]
    tokens: tuple[TokenVectors, ...]
    resident_bytes: int


def pack(
    canonical: Canonical, *, manifest: Manifest, dtype: torch.dtype = torch.float32
) -> HostAdapter:
    """Fold scales in float32, cast to `dtype`, and count the bytes.

    Args:
        canonical: Arrays as `read_canonical` gives them.
        manifest: The release's manifest.
        dtype: The engine's dtype, so that filling a slot converts nothing.
    """
    layers = {
        (layer.component, layer.module): PackedLayer(
            down=torch.tensor(layer.down).to(dtype),
            up=_fold(torch.tensor(layer.up), scale=layer.scale).to(dtype),
        )
        for layer in canonical.layers
    }
    tokens = tuple(_take_tokens(canonical, manifest=manifest))
    tensors = [tensor for layer in layers.values() for tensor in (layer.down, layer.up)]
    tensors += [entry.vectors for entry in tokens]
    return HostAdapter(
        digest=str(manifest.digest),
        kind=manifest.kind,
        rank=max((layer.down.shape[0] for layer in layers.values()), default=0),
        layers=layers,
        tokens=tokens,
        resident_bytes=sum(tensor.nbytes for tensor in tensors),
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


def _fold(up: torch.Tensor, *, scale: float) -> torch.Tensor:
    wide = up.double() if up.dtype == torch.float64 else up.float()
    return (wide * scale).T.contiguous()
