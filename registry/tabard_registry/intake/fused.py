# SPDX-License-Identifier: Apache-2.0
"""Layers that the original code of a transformer has fused: read as one, and split row by row.

A profile in, one with the fused layers beside its own out; then a reading with changes of fused
layers in, the same changes of the layers that the base has out. A split is exact: the numbers of
each row stay as they are. What cannot be split row by row is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from tabard_registry.grammar import counted
from tabard_registry.intake.dialect import Reading
from tabard_registry.intake.layers.change_part import ChangePart
from tabard_registry.intake.layers.checked import CheckedChange, CheckedLayer
from tabard_registry.intake.layers.products import Array
from tabard_registry.intake.profile import PROFILES_KEPT_MAX, BaseProfile, ModuleShape
from tabard_registry.intake.transformer_names import Original, Piece, originals
from tabard_registry.release.change_methods import (
    CHANGE_METHODS,
    DENSE,
    KRONECKER,
    MAGNITUDE,
    MAGNITUDE_AXIS,
)
from tabard_registry.report import Problem

_TRANSFORMER = "transformer"
_BY_ROWS: Mapping[str, frozenset[str]] = {
    "dense": frozenset({"diff"}),
    "lora": frozenset({"up"}),
    "hadamard": frozenset({"w1_a", "w2_a"}),
}
"""Method to those of its parts whose rows are the outputs, where that is all there is to it."""
_REMEDY = "Export it with the names of diffusers, where these layers lie apart, or as a plain LoRA."


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def with_fused(profile: BaseProfile) -> BaseProfile:
    """Return a profile with the fused layers beside its own; the same one where there are none."""
    fused = _fused_of(profile)
    if not fused:
        return profile
    own, vectors = profile.modules[_TRANSFORMER], profile.vectors.get(_TRANSFORMER, {})
    modules = dict(own)
    widths = dict(vectors)
    for name, original in fused.items():
        shapes = [own[piece.module] for piece in original.pieces]
        modules[name] = ModuleShape(
            kind=shapes[0].kind, inputs=shapes[0].inputs, outputs=original.outputs
        )
        if all(f"{piece.module}.bias" in vectors for piece in original.pieces):
            widths[f"{name}.bias"] = original.outputs
    return replace(
        profile,
        modules={**profile.modules, _TRANSFORMER: modules},
        vectors={**profile.vectors, _TRANSFORMER: widths} if profile.vectors else {},
    )


def split(reading: Reading, *, profile: BaseProfile) -> Reading:
    """Return a reading in which every fused layer became those that the base has.

    Args:
        reading: What a dialect understood with the profile of `with_fused`.
        profile: The base, as it is.
    """
    fused = _fused_of(profile)
    if not fused:
        return reading
    split = _Split(fused=fused, modules=profile.modules[_TRANSFORMER])
    return replace(
        reading,
        layers=tuple(one for layer in reading.layers for one in split.layer(layer)),
        changes=tuple(one for change in reading.changes for one in split.change(change)),
        problems=(*reading.problems, *split.problems()),
    )


@dataclass(slots=True, kw_only=True)
class _Split:
    """One reading that is being split; notes what it cannot.

    Attributes:
        fused: Name to original, of what is no module of the base by itself.
        modules: The transformer's layers.
        refused: What cannot be split, with the layer's name.
    """

    fused: Mapping[str, Original]
    modules: Mapping[str, ModuleShape]
    refused: list[tuple[str, str]] = field(default_factory=list)

    def layer(self, layer: CheckedLayer) -> Iterator[CheckedLayer]:
        """Yield a layer, or its pieces: all share the down factor, each has its rows of the up."""
        original = self._original(layer.component, layer.module)
        if original is None:
            yield layer
            return
        factors = layer.factors
        if factors.axis == "inputs" and len(original.pieces) > 1:
            # The magnitude is one of whole columns: no piece has a magnitude of its own.
            self.refused.append((layer.module, "a DoRA by columns"))
            return
        for piece in original.pieces:
            measured = replace(factors.measured, outputs=self.modules[piece.module].outputs)
            yield replace(
                layer,
                module=piece.module,
                factors=replace(factors, measured=measured, rows=piece.spans),
            )

    def change(self, change: CheckedChange) -> Iterator[CheckedChange]:
        """Yield a change, or its pieces."""
        module, _, own = change.parameter.rpartition(".")
        original = self._original(change.component, module)
        if original is None:
            yield change
            return
        by_rows = _BY_ROWS.get(change.method)
        has_magnitude = MAGNITUDE in change.parts
        is_product = change.method == KRONECKER.name and not has_magnitude
        if by_rows is None and not is_product:
            what = CHANGE_METHODS[change.method].title
            self.refused.append((module, f"{what} with a magnitude" if has_magnitude else what))
            return
        if change.options.get(MAGNITUDE_AXIS) == "inputs" and len(original.pieces) > 1:
            self.refused.append((module, "a DoRA by columns"))
            return
        for piece in original.pieces:
            parameter = f"{piece.module}.{own}"
            if is_product:
                yield self._kronecker(change, piece, parameter=parameter)
            else:
                rows = (by_rows or frozenset()) | {MAGNITUDE}
                parts = {
                    name: _rows_of(part, piece) if name in rows else part
                    for name, part in change.parts.items()
                }
                yield replace(change, parameter=parameter, parts=parts)

    def problems(self) -> tuple[Problem, ...]:
        """Say what was not split."""
        if not self.refused:
            return ()
        count = counted(len(self.refused), "layer", verbs=("is", "are"))
        name, what = self.refused[0]
        return (
            Problem(
                reason="UNSUPPORTED_DIALECT",
                message=f"{count} fused in this file and not in the base, and cannot be split "
                f"exactly: {name} is {what}",
                remedy=_REMEDY,
                keys=tuple(name for name, _ in self.refused),
            ),
        )

    def _original(self, component: str, module: str) -> Original | None:
        return self.fused.get(module) if component == _TRANSFORMER else None

    def _kronecker(self, change: CheckedChange, piece: Piece, *, parameter: str) -> CheckedChange:
        """Multiply a product out: a block of its rows is no such product itself."""
        shape = self.modules[piece.module]
        names = [name for name in KRONECKER.parts if name in change.parts]
        first, *others = (change.parts[name] for name in names)
        part = ChangePart(
            source=first.source,
            key=first.key,
            beside=tuple(one.key for one in others),
            shape=(shape.outputs, shape.inputs),
            rows=piece.spans,
            rewrite=_Kronecker(names=tuple(names)),
        )
        return CheckedChange(
            component=change.component,
            parameter=parameter,
            method=DENSE.name,
            scale=change.scale,
            parts={"diff": part},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kronecker:
    """The product of the two halves of a LoKr, either of which may be factors.

    Attributes:
        names: What the arrays are that it is called with, in their order.
    """

    names: tuple[str, ...]

    def __call__(self, *arrays: Array) -> Array:
        """Return [outputs, inputs] in float64."""
        found = dict(zip(self.names, arrays, strict=True))
        left, right = (
            found[half] if half in found else found[f"{half}_a"] @ found[f"{half}_b"]
            for half in ("w1", "w2")
        )
        return np.kron(left, right)


def _rows_of(part: ChangePart, piece: Piece) -> ChangePart:
    count = sum(end - start for start, end in piece.spans)
    return replace(part, shape=(count, *part.shape[1:]), rows=piece.spans)


@lru_cache(maxsize=PROFILES_KEPT_MAX)
def _fused_of(profile: BaseProfile) -> Mapping[str, Original]:
    """Return the originals that are no module of the base by themselves, by name."""
    return {one.name: one for one in originals(profile) if not one.is_whole}
