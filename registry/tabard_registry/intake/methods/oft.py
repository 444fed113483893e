# SPDX-License-Identifier: Apache-2.0
"""OFT and BOFT: changes that turn the outputs of a weight (LyCORIS) or its inputs (PEFT).

Blocks are kept as they are, or written as LyCORIS would: a block less its transpose is skew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tabard_registry.intake.layers.change import Array, Part
from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Malformed, require
from tabard_registry.intake.methods.module_tensors import WEIGHT, Group, LayerRefused
from tabard_registry.intake.methods.peft_config import RotationRule, rotation_rule
from tabard_registry.intake.profile import ModuleShape

Options = dict[str, float | str | bool]

_STAGES_MAX = 32
_BY_INPUTS: Options = {"on_input": True}


class Oft:
    """OFT and BOFT of LyCORIS; implements `ChangeMethod`."""

    name = "OFT"
    parts = frozenset({"oft_blocks", "rescale"})

    def read(self, group: Group, *, module: ModuleShape) -> list[CheckedChange]:
        """Three dimensions are a diagonal, four a butterfly; alpha bounds how far it turns."""
        require(group.keys, "oft_blocks")
        shape = group.shape("oft_blocks")
        if len(shape) not in (3, 4) or shape[-1] != shape[-2]:
            raise Malformed(f"has blocks of shape {list(shape)}")
        if shape[-1] * shape[-3] != module.outputs:
            turned = shape[-1] * shape[-3]
            raise LayerRefused(
                "SHAPE_MISMATCH", f"{group.name} turns {turned} outputs, here {module.outputs}"
            )
        if len(shape) == 4:
            _check_butterfly(shape[0], block=shape[-1], width=module.outputs)
        parts = {"blocks": group.part("oft_blocks")}
        if "rescale" in group.keys:
            parts["rescale"] = _rescale(group, "rescale", module=module)
        limit = group.number("alpha") if "alpha" in group.keys else 0.0
        if not 0.0 <= limit < math.inf:
            raise LayerRefused("BAD_ALPHA", f"{group.name} turns by at most {limit}")
        return [
            _change(
                group,
                method="boft" if len(shape) == 4 else "oft",
                parts=parts,
                options={"constraint": limit} if limit else {},
            )
        ]


class PeftOft:
    """OFT of PEFT; implements `ChangeMethod`."""

    name = "OFT"
    parts = frozenset({"oft_R"})

    def read(self, group: Group, *, module: ModuleShape) -> list[CheckedChange]:
        """Its vectors are the upper triangles of skew matrices, one of them for each block."""
        rule = rotation_rule(group.context.config)
        if rule is None:
            raise LayerRefused("ALPHA_UNKNOWN", f"nothing says how {group.name} is turned")
        if not module.is_pointwise:
            kernel = "x".join(map(str, module.kernel))
            raise LayerRefused(
                "UNSUPPORTED_DIALECT",
                f"PEFT's OFT of the {kernel} convolution {group.name} does one thing when it runs "
                "and another when it is merged",
            )
        shape = group.shape("oft_R")
        size, count = _block_size(shape[1]) if len(shape) == 2 else 0, shape[0]
        if not size or module.inputs % size or count not in (1, module.inputs // size):
            raise LayerRefused(
                "SHAPE_MISMATCH", f"{group.name} turns {count * size} inputs, here {module.inputs}"
            )
        part = group.part("oft_R", shape=(count, size, size), rewrite=_Triangles(size, rule=rule))
        options = _BY_INPUTS | ({"terms": float(rule.terms)} if rule.terms else {})
        return [_change(group, method="oft", parts={"blocks": part}, options=options)]


class PeftBoft:
    """BOFT of PEFT; implements `ChangeMethod`."""

    name = "BOFT"
    parts = frozenset({"boft_R", "boft_s"})

    def read(self, group: Group, *, module: ModuleShape) -> list[CheckedChange]:
        """It turns the inputs, kernel unrolled, and makes the outputs longer or shorter."""
        require(group.keys, "boft_R", "boft_s")
        shape = group.shape("boft_R")
        inputs = module.inputs * math.prod(module.kernel)
        if len(shape) != 4 or shape[2] != shape[3]:
            raise Malformed(f"has blocks of shape {list(shape)}")
        turned = shape[1] * shape[2]
        if turned != inputs:
            raise LayerRefused(
                "SHAPE_MISMATCH", f"{group.name} turns {turned} inputs, here {inputs}"
            )
        if shape[0] > 1:
            _check_butterfly(shape[0], block=shape[3], width=inputs)
        parts = {
            "blocks": group.part("boft_R", rewrite=_half),
            "rescale": _rescale(group, "boft_s", module=module),
        }
        return [_change(group, method="boft", parts=parts, options=_BY_INPUTS)]


def _change(
    group: Group, *, method: str, parts: Mapping[str, Part], options: Options
) -> CheckedChange:
    return CheckedChange(
        component=group.component,
        parameter=f"{group.name}.{WEIGHT}",
        method=method,
        scale=1.0,
        parts=parts,
        options=options,
    )


def _rescale(group: Group, part: str, *, module: ModuleShape) -> Part:
    shape = group.shape(part)
    if sorted(shape)[:-1] != [1] * (len(shape) - 1) or max(shape, default=0) != module.outputs:
        raise LayerRefused("SHAPE_MISMATCH", f"{group.keys[part]} has the shape {list(shape)}")
    return group.part(part, shape=(module.outputs, 1))


def _check_butterfly(stages: int, *, block: int, width: int) -> None:
    """Each stage pairs halves of blocks twice as far apart as the one before."""
    if block % 2 or not 0 < stages <= _STAGES_MAX or width % (block << (stages - 1)):
        raise Malformed(f"has {stages} butterfly stages of blocks of {block} on a width of {width}")


def _block_size(triangle: int) -> int:
    """Return the size of the skew matrix with so many numbers above its diagonal, or 0."""
    size = round((1 + (1 + 8 * triangle) ** 0.5) / 2)
    return size if size * (size - 1) // 2 == triangle else 0


class _Triangles:
    """Makes matrices of the numbers above their diagonals, no longer than the rule allows."""

    def __init__(self, size: int, *, rule: RotationRule) -> None:
        self._size = size
        self._rule = rule

    def __call__(self, vectors: Array) -> Array:
        found = np.zeros((len(vectors), self._size, self._size))
        rows, columns = np.triu_indices(self._size, k=1)
        found[:, rows, columns] = vectors
        if self._rule.reach is None:
            return found
        reach = self._rule.reach / math.sqrt(len(vectors))
        # A skew matrix has each number twice.
        lengths = math.sqrt(2) * np.linalg.norm(found, axis=(1, 2), keepdims=True)
        shorter: Array = found * np.minimum(1.0, reach / np.maximum(lengths, reach))
        return shorter


def _half(blocks: Array) -> Array:
    """PEFT halves the difference to the transpose, LyCORIS does not."""
    return 0.5 * blocks
