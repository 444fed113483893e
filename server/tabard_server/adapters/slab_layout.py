# SPDX-License-Identifier: Apache-2.0
"""Which layers lie where in a slab: numbers alone, and the same ones for all adapters of a kind.

A trainer's adapters have the same layers and ranks, whatever it taught. Equal layouts are one
object, so that what follows from a layout is found once and known by it. Knows no tensors.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

LayerKey = tuple[str, str]
Row = tuple[Any, ...]
"""What a file says of a layer, in the order of `LayerPlace`; the last three if it has them."""

_KEPT_MAX = 16


@dataclass(frozen=True, slots=True)
class LayerPlace:
    """One layer of a slab.

    Attributes:
        component: Which model.
        module: Which of its layers.
        rank: Rows of both factors.
        inputs: Numbers in a row of `down`.
        outputs: Numbers in a row of `up`.
        down: First byte of `down [rank, inputs]`.
        up: First byte of `up [rank, outputs]`.
        magnitude: First byte of the magnitude; None without one.
        width: Numbers in the magnitude.
        axis: `inputs` or `outputs`, along which the magnitude lies; empty without one.
    """

    component: str
    module: str
    rank: int
    inputs: int
    outputs: int
    down: int
    up: int
    magnitude: int | None = None
    width: int = 0
    axis: str = ""


class SlabLayout:
    """Every layer of a slab, in the order of its bytes. Made by the functions here alone.

    Attributes:
        rows: What a file says of it.
        dtype: In what factors are.
        layers: Each layer's place.
    """

    __slots__ = ("__weakref__", "dtype", "layers", "rows")

    def __init__(self, rows: tuple[Row, ...], *, dtype: torch.dtype) -> None:
        self.rows, self.dtype = rows, dtype
        self.layers: dict[LayerKey, LayerPlace] = {row[:2]: LayerPlace(*row) for row in rows}


def layout_of(rows: Iterable[Row], *, dtype: torch.dtype) -> SlabLayout:
    """Return the one layout of these rows."""
    return _layout(tuple(rows), dtype)


@lru_cache(maxsize=_KEPT_MAX)
def parse_layout(text: bytes, dtype: torch.dtype) -> SlabLayout:
    """Return the layout that `write_layout` wrote.

    Raises:
        ValueError: It did not.
        TypeError: Likewise.
    """
    return layout_of(map(tuple, json.loads(text)), dtype=dtype)


def write_layout(layout: SlabLayout) -> bytes:
    """Write a layout as one line of JSON."""
    return json.dumps(layout.rows, separators=(",", ":")).encode("ascii")


@lru_cache(maxsize=_KEPT_MAX)
def _layout(rows: tuple[Row, ...], dtype: torch.dtype) -> SlabLayout:
    return SlabLayout(rows, dtype=dtype)
