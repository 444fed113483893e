# SPDX-License-Identifier: Apache-2.0
"""The canonical file of a release: one layout for every dialect, byte for byte repeatable.

Keys are `{component}:{module}:down` [rank, in] ([rank, in, height, width] for a larger kernel),
`…:up` [out, rank], `…:magnitude` [in or out] for a DoRA, `{component}:tokens` [n, width], and for
what is not low-rank `{component}:{parameter}:{method}.{part}`, shaped as its writer has it.
Element types stay as they are (BF16 and F64 become F32, and so does what was multiplied out); alpha
is not applied: the scale of each layer is in the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile, open_tensors
from tabard_registry.intake.layers.checked import Checked
from tabard_registry.intake.layers.products import kept
from tabard_registry.refs.digest import Digest, sha256_file
from tabard_registry.release.manifest import BlobRef, ChangeTarget, Manifest, Target
from tabard_registry.report import Problem

CANONICAL_NAME = "canonical.safetensors"
"""What the canonical file is called in a manifest."""

_KEPT = {np.dtype("<f2"): "F16", np.dtype("<f4"): "F32"}
_METADATA = {"format": "tabard-canonical", "version": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The low-rank pair of one layer: its change of the weight is `scale * up @ down`.

    With a magnitude the changed weight's rows (`outputs`) or columns (`inputs`) get that length.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        module: Module name as the base profile has it.
        rank: Rank of the pair.
        scale: alpha / trained rank; not applied to the arrays.
        down: [rank, in] or [rank, in, height, width], float16 or float32.
        up: [out, rank], float16 or float32.
        magnitude: [in] or [out], float16 or float32; None without one.
        magnitude_axis: `inputs`, `outputs`, or empty without one.
    """

    component: str
    module: str
    rank: int
    scale: float
    down: NDArray[Any]
    up: NDArray[Any]
    magnitude: NDArray[Any] | None = None
    magnitude_axis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one parameter that is not low-rank, so that only a merged copy can wear it.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        parameter: Name of the parameter as the base profile has it: `….weight` or `….bias`.
        method: Name of one of `CHANGE_METHODS`.
        scale: What the change is multiplied with; not applied to the arrays.
        options: What else the method must know.
        parts: Its arrays by name, float16 or float32.
    """

    component: str
    parameter: str
    method: str
    scale: float
    options: Mapping[str, float | str | bool]
    parts: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """What a canonical file holds. The arrays are private memory maps: writing them is harmless.

    Attributes:
        layers: The layers, in the order of the manifest.
        tokens: Component to vectors [n, width]; rows in the order of the manifest's tokens.
        changes: What is not low-rank, in the order of the manifest.
    """

    layers: tuple[Layer, ...]
    tokens: Mapping[str, NDArray[Any]]
    changes: tuple[Change, ...] = ()


def write_canonical(checked: Checked, path: Path) -> BlobRef:
    """Write the canonical file of accepted files. Equal tensors make equal bytes.

    Raises:
        OSError: A file cannot be read or written.
    """
    assert checked.report.accepted
    tensors = dict(_tensors(checked))
    # Wider elements first, so that every tensor is aligned to its own element size.
    ordered = sorted(tensors, key=lambda key: (-tensors[key].dtype.itemsize, key))
    chunks = list(_chunks({key: tensors[key] for key in ordered}))
    # Hashing lets other threads run: on two cores the file is written meanwhile.
    with ThreadPoolExecutor(1) as pool, path.open("xb") as file:
        digest = pool.submit(_hash, chunks)
        size_bytes = sum(map(file.write, chunks))
    for source in {layer.factors.source for layer in checked.layers}:
        source.forget()
    return BlobRef(name=CANONICAL_NAME, sha256=digest.result(), bytes=size_bytes)


def read_canonical(path: Path, manifest: Manifest, *, verify: bool = True) -> Canonical:
    """Read a canonical file.

    Args:
        path: The file.
        manifest: The manifest that names it.
        verify: Whether to hash it first; leave it out only for a file that was just verified.

    Raises:
        CorruptRegistry: The file is not the one that the manifest names.
        OSError: The file cannot be read.
    """
    assert manifest.canonical is not None, "a recipe has no canonical file"
    if verify and sha256_file(path) != manifest.canonical.sha256:
        raise _corrupt(path, detail=f"its digest is not {manifest.canonical.sha256}")
    limits = IntakeLimits(file_bytes_max=1 << 40, header_bytes_max=64 << 20, tensors_max=1_000_000)
    file = open_tensors(path, limits=limits)
    if isinstance(file, Problem):
        raise _corrupt(path, detail=file.message)
    try:
        layers = tuple(_layer(file, target) for target in manifest.targets)
        changes = tuple(_change(file, target) for target in manifest.changes)
        tokens = {name: file.read(f"{name}:tokens") for name in _components(manifest)}
    except KeyError as error:
        raise _corrupt(path, detail=f"it has no tensor {error}") from error
    return Canonical(layers=layers, tokens=MappingProxyType(tokens), changes=changes)


def _layer(file: TensorFile, target: Target) -> Layer:
    prefix = f"{target.component}:{target.module}"
    axis = target.magnitude_axis
    return Layer(
        component=target.component,
        module=target.module,
        rank=target.rank,
        scale=target.scale,
        down=file.read(f"{prefix}:down"),
        up=file.read(f"{prefix}:up"),
        magnitude=file.read(f"{prefix}:magnitude") if axis else None,
        magnitude_axis=axis,
    )


def _change(file: TensorFile, target: ChangeTarget) -> Change:
    prefix = f"{target.component}:{target.parameter}:{target.method}"
    return Change(
        component=target.component,
        parameter=target.parameter,
        method=target.method,
        scale=target.scale,
        options=target.options,
        parts=MappingProxyType({part: file.read(f"{prefix}.{part}") for part in target.parts}),
    )


def _tensors(checked: Checked) -> Iterator[tuple[str, NDArray[Any]]]:
    for layer in checked.layers:
        prefix = f"{layer.component}:{layer.module}"
        pair = layer.factors.read()
        yield f"{prefix}:down", pair.down
        yield f"{prefix}:up", pair.up
        magnitude = layer.factors.read_magnitude()
        if magnitude is not None:
            yield f"{prefix}:magnitude", magnitude
    for change in checked.changes:
        prefix = f"{change.component}:{change.parameter}:{change.method}"
        for part, found in change.read().items():
            yield f"{prefix}.{part}", found
    vectors: dict[str, list[NDArray[Any]]] = {}
    for token in checked.tokens:
        found = kept(token.source.read(token.key))
        vectors.setdefault(token.component, []).append(found.reshape(-1, found.shape[-1]))
    for component, rows in vectors.items():
        yield f"{component}:tokens", np.concatenate(rows) if len(rows) > 1 else rows[0]


def _chunks(tensors: Mapping[str, NDArray[Any]]) -> Iterable[bytes | memoryview]:
    header: dict[str, Any] = {"__metadata__": _METADATA}
    offset = 0
    for key, found in tensors.items():
        header[key] = {
            "dtype": _KEPT[found.dtype],
            "shape": list(found.shape),
            "data_offsets": [offset, offset + found.nbytes],
        }
        offset += found.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for found in tensors.values():
        yield np.ascontiguousarray(found).reshape(-1).data.cast("B")


def _hash(chunks: Iterable[bytes | memoryview]) -> Digest:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return Digest(hasher.hexdigest())


def _components(manifest: Manifest) -> Iterable[str]:
    return dict.fromkeys(token.component for token in manifest.tokens)


def _corrupt(path: Path, *, detail: str) -> CorruptRegistry:
    return CorruptRegistry(
        f"the canonical file {path.name} is damaged: {detail}",
        reason="CORRUPT_BLOB",
        hint=f"Fetch it again. {RESTORE_BLOB}",
    )
