# SPDX-License-Identifier: Apache-2.0
"""OFT and BOFT: changes that turn the outputs of a weight (LyCORIS, kohya, ComfyUI) or its inputs.

Blocks are kept as they are, or written as LyCORIS would: a block less its transpose is skew.
PEFT and OneTrainer turn inputs.
"""

from __future__ import annotations

import math

import numpy as np

from tabard_registry.intake.layers.change_part import ChangePart
from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Malformed, require
from tabard_registry.intake.layers.products import Array
from tabard_registry.intake.methods.module_tensors import LayerRefused, ModuleTensors
from tabard_registry.intake.methods.peft_config import rotation_rule
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import BOFT, OFT

KOHYA_BLOCKS = "kohya_oft_blocks"
"""The blocks of kohya's own OFT, as a part."""
COMFYUI_BLOCKS = "comfyui_oft_blocks"
"""The blocks of an OFT by ComfyUI's trainer, as a part."""
ROTATION, SCALED = "onetrainer_oft_R", "onetrainer_scaled_oft"
"""The numbers of OneTrainer's OFT, and its mark that they are to be divided, as parts."""
ONETRAINER_TERMS = 5
"""How many terms of the series OneTrainer takes, always."""

_STAGES_MAX = 32
_BY_INPUTS: dict[str, float | str | bool] = {"on_input": True}
_KOHYA_EPSILON = 1e-8


class Oft:
    """OFT and BOFT of LyCORIS; implements `ChangeReader`."""

    known_as = OFT
    parts = frozenset({"oft_blocks", "rescale"})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Three dimensions are a diagonal, four a butterfly; alpha bounds how far it turns."""
        require(tensors.keys, "oft_blocks")
        shape = tensors.shape("oft_blocks")
        _check_blocks(tensors, "oft_blocks", axes=(3, 4), module=module)
        if len(shape) == 4:
            _check_butterfly(shape[0], block=shape[-1], width=module.outputs)
        parts = {"blocks": tensors.part("oft_blocks")}
        if "rescale" in tensors.keys:
            parts["rescale"] = _rescale(tensors, "rescale", module=module)
        limit = _limit(tensors) if "alpha" in tensors.keys else 0.0
        method = BOFT if len(shape) == 4 else OFT
        return [tensors.change(method, parts, options={"constraint": limit} if limit else {})]


class KohyaOft:
    """OFT of kohya's own network module; implements `ChangeReader`."""

    known_as = OFT
    parts = frozenset({KOHYA_BLOCKS})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Alpha always bounds, where LyCORIS takes a zero for no bound.

        kohya adds its epsilon to the bound too, and so the bound is a hair wider than alpha.
        """
        require(tensors.keys, KOHYA_BLOCKS)
        _check_blocks(tensors, KOHYA_BLOCKS, axes=(3,), module=module)
        if "alpha" not in tensors.keys:
            raise LayerRefused("ALPHA_UNKNOWN", f"nothing says how far {tensors.name} may turn")
        limit = _limit(tensors) + _KOHYA_EPSILON / module.outputs
        parts = {"blocks": tensors.part(KOHYA_BLOCKS)}
        return [tensors.change(OFT, parts, options={"constraint": limit})]


class ComfyuiOft:
    """OFT of ComfyUI's trainer; implements `ChangeReader`."""

    known_as = OFT
    parts = frozenset({COMFYUI_BLOCKS})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Alpha is the bound of all blocks together, whatever the number of outputs."""
        require(tensors.keys, COMFYUI_BLOCKS)
        _check_blocks(tensors, COMFYUI_BLOCKS, axes=(3,), module=module)
        limit = _limit(tensors) / module.outputs if "alpha" in tensors.keys else 0.0
        parts = {"blocks": tensors.part(COMFYUI_BLOCKS)}
        return [tensors.change(OFT, parts, options={"constraint": limit} if limit else {})]


class OneTrainerOft:
    """OFT of OneTrainer; implements `ChangeReader`."""

    known_as = OFT
    parts = frozenset({ROTATION, SCALED})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """PEFT's numbers; those of a convolution turn its weight, kernel unrolled, the other way.

        A linear layer's turn what it reads. The series of the opposite numbers is the transpose.
        """
        require(tensors.keys, ROTATION)
        if "alpha" in tensors.keys:
            raise LayerRefused("BAD_ALPHA", f"{tensors.name} is an OFT of OneTrainer with an alpha")
        width = module.inputs * math.prod(module.kernel)
        count, size = _triangle_blocks(tensors, ROTATION, width=width)
        factor = -1.0 if module.kind == "conv2d" else 1.0
        if SCALED in tensors.keys and tensors.number(SCALED):
            factor /= 2 * math.sqrt(size - 1)
        rewrite = _Triangles(size, factor=factor)
        part = tensors.part(ROTATION, shape=(count, size, size), rewrite=rewrite)
        options = _BY_INPUTS | {"terms": float(ONETRAINER_TERMS)}
        return [tensors.change(OFT, {"blocks": part}, options=options)]


class PeftOft:
    """OFT of PEFT; implements `ChangeReader`."""

    known_as = OFT
    parts = frozenset({"oft_R"})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """Its vectors are the upper triangles of skew matrices, one of them for each block."""
        rule = rotation_rule(tensors.context.config)
        if rule is None:
            raise LayerRefused("ALPHA_UNKNOWN", f"nothing says how {tensors.name} is turned")
        if not module.is_pointwise:
            kernel = "x".join(map(str, module.kernel))
            raise LayerRefused(
                "UNSUPPORTED_DIALECT",
                f"PEFT's OFT of the {kernel} convolution {tensors.name} does one thing when it "
                "runs and another when it is merged",
            )
        count, size = _triangle_blocks(tensors, "oft_R", width=module.inputs)
        rewrite = _Triangles(size, reach=rule.reach)
        part = tensors.part("oft_R", shape=(count, size, size), rewrite=rewrite)
        options = _BY_INPUTS | ({"terms": float(rule.terms)} if rule.terms else {})
        return [tensors.change(OFT, {"blocks": part}, options=options)]


class PeftBoft:
    """BOFT of PEFT; implements `ChangeReader`."""

    known_as = BOFT
    parts = frozenset({"boft_R", "boft_s"})

    def read(self, tensors: ModuleTensors, *, module: ModuleShape) -> list[CheckedChange]:
        """It turns the inputs, kernel unrolled, and makes the outputs longer or shorter."""
        require(tensors.keys, "boft_R", "boft_s")
        shape = tensors.shape("boft_R")
        inputs = module.inputs * math.prod(module.kernel)
        if len(shape) != 4 or shape[2] != shape[3]:
            raise Malformed(f"has blocks of shape {list(shape)}")
        turned = shape[1] * shape[2]
        if turned != inputs:
            raise LayerRefused(
                "SHAPE_MISMATCH", f"{tensors.name} turns {turned} inputs, here {inputs}"
            )
        if shape[0] > 1:
            _check_butterfly(shape[0], block=shape[3], width=inputs)
        parts = {
            "blocks": tensors.part("boft_R", rewrite=_half),
            "rescale": _rescale(tensors, "boft_s", module=module),
        }
        return [tensors.change(BOFT, parts, options=_BY_INPUTS)]


def _check_blocks(
    tensors: ModuleTensors, part: str, *, axes: tuple[int, ...], module: ModuleShape
) -> None:
    """Blocks are squares that stand side by side along the outputs."""
    shape = tensors.shape(part)
    if len(shape) not in axes or shape[-1] != shape[-2]:
        raise Malformed(f"has blocks of shape {list(shape)}")
    turned = shape[-1] * shape[-3]
    if turned != module.outputs:
        raise LayerRefused(
            "SHAPE_MISMATCH", f"{tensors.name} turns {turned} outputs, here {module.outputs}"
        )


def _limit(tensors: ModuleTensors) -> float:
    limit = tensors.number("alpha")
    if not 0.0 <= limit < math.inf:
        raise LayerRefused("BAD_ALPHA", f"{tensors.name} turns by at most {limit}")
    return limit


def _triangle_blocks(tensors: ModuleTensors, part: str, *, width: int) -> tuple[int, int]:
    """Return how many blocks there are, and their size: of one for all of them, or of each."""
    shape = tensors.shape(part)
    size, count = _block_size(shape[1]) if len(shape) == 2 else 0, shape[0]
    if size < 2 or width % size or count not in (1, width // size):
        raise LayerRefused(
            "SHAPE_MISMATCH", f"{tensors.name} turns {count * size} inputs, here {width}"
        )
    return count, size


def _rescale(tensors: ModuleTensors, part: str, *, module: ModuleShape) -> ChangePart:
    shape = tensors.shape(part)
    if sorted(shape)[:-1] != [1] * (len(shape) - 1) or max(shape, default=0) != module.outputs:
        raise LayerRefused("SHAPE_MISMATCH", f"{tensors.keys[part]} has the shape {list(shape)}")
    return tensors.part(part, shape=(module.outputs, 1))


def _check_butterfly(stages: int, *, block: int, width: int) -> None:
    """Each stage pairs halves of blocks twice as far apart as the one before."""
    if block % 2 or not 0 < stages <= _STAGES_MAX or width % (block << (stages - 1)):
        raise Malformed(f"has {stages} butterfly stages of blocks of {block} on a width of {width}")


def _block_size(triangle: int) -> int:
    """Return the size of the skew matrix with so many numbers above its diagonal, or 0."""
    size = round((1 + (1 + 8 * triangle) ** 0.5) / 2)
    return size if size * (size - 1) // 2 == triangle else 0


class _Triangles:
    """Makes matrices of the numbers above their diagonals, times a factor, no longer than asked."""

    def __init__(self, size: int, *, reach: float | None = None, factor: float = 1.0) -> None:
        self._size = size
        self._reach = reach
        self._factor = factor

    def __call__(self, vectors: Array) -> Array:
        found = np.zeros((len(vectors), self._size, self._size))
        rows, columns = np.triu_indices(self._size, k=1)
        found[:, rows, columns] = vectors * self._factor
        if self._reach is None:
            return found
        reach = self._reach / math.sqrt(len(vectors))
        # A skew matrix has each number twice.
        lengths = math.sqrt(2) * np.linalg.norm(found, axis=(1, 2), keepdims=True)
        shorter: Array = found * np.minimum(1.0, reach / np.maximum(lengths, reach))
        return shorter


def _half(blocks: Array) -> Array:
    """PEFT halves the difference to the transpose, LyCORIS does not."""
    return 0.5 * blocks
