# SPDX-License-Identifier: Apache-2.0
"""Reads all tensors of one module: what changes its weight, by any method, and its bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from tabard_registry.intake.dialect import Reading
from tabard_registry.intake.layers.checked import CheckedChange, CheckedLayer
from tabard_registry.intake.layers.method import Malformed
from tabard_registry.intake.methods.dense import (
    BIAS_PARTS,
    WEIGHT_PARTS,
    read_biases,
    read_dense_weight,
)
from tabard_registry.intake.methods.glora import Glora
from tabard_registry.intake.methods.ia3 import Ia3, PeftIa3
from tabard_registry.intake.methods.low_rank import MAGNITUDES, PAIR_PARTS, read_layer
from tabard_registry.intake.methods.module_tensors import LayerRefused, ModuleTensors
from tabard_registry.intake.methods.oft import (
    SCALED,
    ComfyuiOft,
    KohyaOft,
    Oft,
    OneTrainerOft,
    PeftBoft,
    PeftOft,
)
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import CHANGE_METHODS, ChangeMethod

_INTEGER_PARTS = ("alpha", "on_input", SCALED)


class ChangeReader(Protocol):
    """Reads one way to change a weight that is not low-rank; listed in `CHANGE_READERS`."""

    @property
    def known_as(self) -> ChangeMethod:
        """Its line in the table of methods."""
        ...

    @property
    def parts(self) -> frozenset[str]:
        """The parts that only this method has."""
        ...

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Check the tensors of one module.

        Raises:
            LayerRefused: They cannot be applied completely.
            Malformed: They do not fit each other.
        """
        ...


CHANGE_READERS: tuple[ChangeReader, ...] = (
    Oft(),
    KohyaOft(),
    ComfyuiOft(),
    OneTrainerOft(),
    Glora(),
    Ia3(),
    PeftOft(),
    PeftBoft(),
    PeftIa3(),
)
"""Every reader of what only a merged copy can wear."""
_CHANGE_PARTS = frozenset[str]().union(*(reader.parts for reader in CHANGE_READERS))


def read_module(tensors: ModuleTensors) -> Reading:
    """Check the tensors of one module.

    Raises:
        LayerRefused: They cannot be applied completely.
    """
    _check_numbers(tensors)
    try:
        weight = _read_weight(tensors)
    except Malformed as error:
        raise LayerRefused(error.reason, f"{tensors.name} {error}") from error
    scale = next((x.scale for x in weight if _is_low_rank(x)), None)
    layers = tuple(x for x in weight if isinstance(x, CheckedLayer))
    changes = [x for x in weight if isinstance(x, CheckedChange)]
    return Reading(
        layers=layers,
        changes=(*changes, *read_biases(tensors, scale=scale)),
        applied=frozenset(tensors.keys.values()),
        alphas=frozenset(_alphas(tensors, layers, is_pair=scale is not None)),
    )


def _read_weight(tensors: ModuleTensors) -> Sequence[CheckedLayer | CheckedChange]:
    """Read what changes the weight, of which there is at most one."""
    parts = tensors.keys.keys()
    is_pair = bool(parts & PAIR_PARTS)
    dense = sorted(parts & WEIGHT_PARTS)
    # Nearly every module is a pair: one question spares it nine.
    others = parts & _CHANGE_PARTS
    readers = [reader for reader in CHANGE_READERS if others & reader.parts] if others else []
    names = [
        *(["low-rank"] if is_pair else []),
        *dense,
        *(reader.known_as.title for reader in readers),
    ]
    if len(names) > 1:
        raise LayerRefused("INCOMPLETE_PAIR", f"{tensors.name} is both {' and '.join(names)}")
    if not is_pair and any(part in parts for part in MAGNITUDES):
        raise LayerRefused(
            "INCOMPLETE_PAIR", f"{tensors.name} has a magnitude, and no down and no up factor"
        )
    if dense:
        return [read_dense_weight(tensors, dense[0])]
    if not names:
        if "alpha" in parts or not parts & BIAS_PARTS:
            raise LayerRefused("INCOMPLETE_PAIR", f"{tensors.name} has no down and no up factor")
        return []
    module = tensors.module
    if module is None:
        raise LayerRefused("SHAPE_MISMATCH", f"{tensors.name} is a norm: it has no such weight")
    if not is_pair:
        return readers[0].read(tensors, module=module)
    layer = read_layer(tensors, module=module)
    return [] if layer is None else [layer]


def _alphas(
    tensors: ModuleTensors, layers: Sequence[CheckedLayer], *, is_pair: bool
) -> Iterator[float]:
    """Yield the alpha that was resolved, or none where a method takes none."""
    if "alpha" in tensors.keys and not (is_pair and tensors.is_alpha_left_out):
        yield tensors.number("alpha")
        return
    for layer in layers:
        alpha = tensors.alpha(rank=layer.factors.measured.trained_rank or layer.rank)
        if alpha is not None:
            yield alpha.value


def _is_low_rank(found: CheckedLayer | CheckedChange) -> bool:
    """Whether its scale is that of factors, which a bias beside them shares."""
    return isinstance(found, CheckedLayer) or CHANGE_METHODS[found.method].is_product


def _check_numbers(tensors: ModuleTensors) -> None:
    for part, key in tensors.keys.items():
        entry = tensors.file.tensors[key]
        is_integer = part in _INTEGER_PARTS and entry.dtype in ("I32", "I64", "BOOL")
        if not entry.is_float and not is_integer:
            raise LayerRefused("UNSUPPORTED_DTYPE", f"{key} is {entry.dtype}")
        if entry.is_empty and (part not in PAIR_PARTS or len(entry.shape) < 2):
            raise LayerRefused(
                "BAD_SHAPE",
                f"{key} holds no numbers (a sharded training is gathered before it is saved)",
            )
    if tensors.file.are_finite():
        return
    for part, key in tensors.keys.items():
        if part != "on_input" and not tensors.file.is_finite(key):
            reason = "BAD_ALPHA" if part == "alpha" else "NOT_FINITE"
            raise LayerRefused(reason, f"{key} holds NaN or infinity")
