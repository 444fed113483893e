# SPDX-License-Identifier: Apache-2.0
"""Two releases side by side: what they change, how strongly, how far apart, and what they say.

In: releases and their bytes. Out: figures a layer, and the fields that differ. A norm is that of
the change of the weight, scale included, by Frobenius; what depends on the base's weights has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabard_registry.content.canonical import Canonical, Change, Layer, read_canonical
from tabard_registry.refs.digest import Digest
from tabard_registry.release.change_methods import CHANGE_METHODS, DENSE, HADAMARD, KRONECKER
from tabard_registry.release.manifest import BlobRef, Manifest
from tabard_registry.release.release import Release
from tabard_registry.release.words import WORDS
from tabard_registry.scratch import Scratch

MEASURED_BYTES_MAX = 4 << 30
"""Largest release whose norms are measured; of a larger one layers and ranks are told."""

_FACTS = ("kind", "dialect", "rank", "base_family", "base_fingerprint", "original_bytes")
_TOKEN = "token"


class Source(Protocol):
    """What a comparison needs of a registry."""

    def manifest(self, digest: Digest) -> Manifest:
        """Return a verified manifest."""
        ...

    def fetch(self, blob: BlobRef, target: Path) -> None:
        """Copy a blob, verified."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One layer as one release changes it.

    Attributes:
        method: Name of the method, like `LoRA`; `token` for vectors of an embedding.
        rank: Its rank; the number of vectors of a token; 0 for what is not low-rank.
        norm: Length of its change; None where that is not known.
    """

    method: str
    rank: int
    norm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """One layer in both releases.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        name: The module, the parameter, or the token.
        left: How the first release changes it, or None.
        right: How the second one does, or None.
        distance: Length of the difference of both changes, where both are low-rank or full.
    """

    component: str
    name: str
    left: Side | None
    right: Side | None
    distance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two releases.

    Attributes:
        layers: Every layer that one of them changes, by component and name.
        fields: What they say differently, by name: both texts, empty where one says nothing.
    """

    layers: tuple[LayerPair, ...]
    fields: Mapping[str, tuple[str, str]]


def compare_releases(source: Source, left: Release, right: Release) -> Comparison:
    """Compare two releases, whose bytes are there.

    Raises:
        NotFound, CorruptRegistry, StoreUnavailable: Bytes are gone, damaged or out of reach.
    """
    with Scratch("compare") as scratch:
        first, second = (
            _parts(source, one, folder=scratch.path / side)
            for one, side in ((left, "left"), (right, "right"))
        )
        layers = tuple(
            _pair(*key, first.get(key), second.get(key)) for key in sorted({*first, *second})
        )
    manifests = [source.manifest(one.digest) for one in (left, right)]
    fields = _differing(_said(left, manifests[0]), _said(right, manifests[1]))
    return Comparison(layers=layers, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One layer: how it is written, and its arrays if they are measured."""

    method: str
    rank: int
    scale: float = 1.0
    pair: tuple[NDArray[Any], NDArray[Any]] | None = None
    dense: NDArray[Any] | None = None
    own_norm: float | None = None

    @property
    def norm(self) -> float | None:
        if self.own_norm is not None:
            return self.own_norm
        squared = _product(self, self)
        return None if squared is None else math.sqrt(max(0.0, squared))


def _parts(source: Source, release: Release, *, folder: Path) -> dict[tuple[str, str], _Part]:
    manifest = source.manifest(release.digest)
    if manifest.canonical is None:
        return {
            ("recipe", f"{one.adapter}@{one.version}"): _Part(
                method="member", rank=0, own_norm=abs(one.weight)
            )
            for one in manifest.members
        }
    if manifest.canonical.bytes > MEASURED_BYTES_MAX:
        return dict(_unmeasured(manifest))
    folder.mkdir()
    path = folder / "canonical"
    source.fetch(manifest.canonical, path)
    return dict(_measured(read_canonical(path, manifest, verify=False), manifest))


def _unmeasured(manifest: Manifest) -> Iterator[tuple[tuple[str, str], _Part]]:
    for one in manifest.targets:
        yield (one.component, one.module), _Part(method="LoRA", rank=one.rank)
    for change in manifest.changes:
        method = CHANGE_METHODS[change.method].title
        yield (change.component, change.parameter), _Part(method=method, rank=0)
    for token in manifest.tokens:
        yield (token.component, token.token), _Part(method=_TOKEN, rank=token.count)


def _measured(canonical: Canonical, manifest: Manifest) -> Iterator[tuple[tuple[str, str], _Part]]:
    for one in canonical.layers:
        yield (one.component, one.module), _low_rank(one)
    for change in canonical.changes:
        yield (change.component, change.parameter), _change(change)
    rows = dict.fromkeys(canonical.tokens, 0)
    for token in manifest.tokens:
        begin = rows[token.component]
        rows[token.component] = begin + token.count
        vectors = canonical.tokens[token.component][begin : begin + token.count]
        yield (
            (token.component, token.token),
            _Part(method=_TOKEN, rank=token.count, dense=vectors),
        )


def _low_rank(layer: Layer) -> _Part:
    method = "DoRA" if layer.magnitude is not None else "LoRA"
    down = layer.down.reshape(layer.down.shape[0], -1)
    return _Part(method=method, rank=layer.rank, scale=layer.scale, pair=(layer.up, down))


def _change(change: Change) -> _Part:
    title, parts = CHANGE_METHODS[change.method].title, change.parts
    if change.method == DENSE.name and set(parts) == {"diff"}:
        return _Part(method=title, rank=0, scale=change.scale, dense=parts["diff"])
    norm = None
    if change.method == KRONECKER.name and "t2" not in parts:
        norm = _length(_factor(parts, "w1")) * _length(_factor(parts, "w2"))
    elif change.method == HADAMARD.name and "t1" not in parts:
        norm = _length(_factor(parts, "w1") * _factor(parts, "w2"))
    own = None if norm is None else abs(change.scale) * norm
    return _Part(method=title, rank=0, own_norm=own)


def _factor(parts: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name in parts:
        return parts[name].astype(np.float32)
    first, second = (parts[f"{name}_{letter}"].astype(np.float32) for letter in "ab")
    product: NDArray[Any] = first @ second.reshape(second.shape[0], -1)
    return product


def _pair(component: str, name: str, left: _Part | None, right: _Part | None) -> LayerPair:
    return LayerPair(
        component=component,
        name=name,
        left=_side(left),
        right=_side(right),
        distance=_distance(left, right) if left and right else None,
    )


def _side(part: _Part | None) -> Side | None:
    return Side(method=part.method, rank=part.rank, norm=part.norm) if part else None


def _distance(left: _Part, right: _Part) -> float | None:
    products = (_product(left, left), _product(right, right), _product(left, right))
    if None in products:
        return None
    first, second, both = (float(one or 0.0) for one in products)
    squared = first + second - 2 * both
    # Equal changes leave what rounding leaves, which is no distance.
    return 0.0 if squared <= 1e-12 * (first + second) else math.sqrt(squared)


def _product(left: _Part, right: _Part) -> float | None:
    """Multiply two changes element by element and add that up, without making a low-rank one."""
    scale = left.scale * right.scale
    if left.pair and right.pair:
        (up, down), (other_up, other_down) = _wide(*left.pair), _wide(*right.pair)
        if up.shape[0] != other_up.shape[0] or down.shape[1] != other_down.shape[1]:
            return None
        return float(scale * np.sum((up.T @ other_up) * (down @ other_down.T)))
    if left.dense is not None and right.dense is not None:
        if left.dense.shape != right.dense.shape:
            return None
        first, second = _wide(left.dense.reshape(-1), right.dense.reshape(-1))
        return float(scale * (first @ second))
    return None


def _wide(*arrays: NDArray[Any]) -> list[NDArray[np.float64]]:
    return [array.astype(np.float64) for array in arrays]


def _length(array: NDArray[Any]) -> float:
    return float(np.linalg.norm(array.astype(np.float64).reshape(-1)))


def _said(release: Release, manifest: Manifest) -> dict[str, str]:
    said = {name: str(getattr(release, name)) for name in _FACTS}
    words = {name: getattr(release, name) for name in WORDS}
    said |= {name: one if isinstance(one, str) else ", ".join(one) for name, one in words.items()}
    told = {f"sampling.{name}": str(one) for name, one in manifest.sampling.to_json().items()}
    return said | told | {f"training.{key}": text for key, text in manifest.training.items()}


def _differing(left: Mapping[str, str], right: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = dict.fromkeys([*left, *right])
    pairs = {name: (left.get(name, ""), right.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
