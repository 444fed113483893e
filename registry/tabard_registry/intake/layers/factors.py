# SPDX-License-Identifier: Apache-2.0
"""The tensors behind one layer, measured at the check and multiplied out when they are written.

A file's keys in; a pair of factors and a magnitude out, in float16 or float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.method import Measured, Method
from tabard_registry.intake.layers.products import Array, Pair, Span, kept, rows_of
from tabard_registry.intake.profile import ModuleShape

Axis = Literal["", "inputs", "outputs"]
"""Along which side of the weight a magnitude scales; empty without one."""

_FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What changes one layer.

    Attributes:
        source: The file that holds all of it.
        method: How the change is written.
        keys: Part to key of the file, the method's parts only.
        measured: What the tensors amount to.
        module: The layer of the base.
        magnitude_key: Key of DoRA's magnitude, or None.
        axis: Which side of the weight the magnitude scales.
        rows: Which outputs are meant where the file has more layers in one; empty: all.
    """

    source: TensorFile
    method: Method
    keys: Mapping[str, str]
    measured: Measured
    module: ModuleShape
    magnitude_key: str | None = None
    axis: Axis = ""
    rows: tuple[Span, ...] = ()

    def read(self) -> Pair:
        """Return the pair; a plain LoRA's factors to the bit, anything else rounded once.

        Raises:
            OSError: The file is gone.
        """
        pair = self.method.build(
            {part: self.source.read(key) for part, key in self.keys.items()}, module=self.module
        )
        rank, inputs = self.measured.rank, self.measured.inputs
        kernel = () if self.module.is_pointwise else self.module.kernel
        up = rows_of(pair.up, self.rows) if self.rows else pair.up
        return Pair(down=kept(pair.down.reshape(rank, inputs, *kernel)), up=kept(up))

    def read_magnitude(self) -> Array | None:
        """Return the magnitude as a vector, or None without one.

        Raises:
            OSError: The file is gone.
        """
        if self.magnitude_key is None:
            return None
        found = self.source.read(self.magnitude_key).reshape(-1)
        if self.rows and self.axis == "outputs":
            found = rows_of(found, self.rows)
        return kept(found)

    def is_zero(self) -> bool:
        """Whether it changes nothing: a factor is zero, and no magnitude scales the base."""
        return self.magnitude_key is None and any(map(self.source.is_zero, self.keys.values()))

    def can_overflow(self) -> bool:
        """Whether multiplying the tensors out could leave float32; never for a plain LoRA."""
        if not self.is_folded:
            return False
        peaks = (float(np.abs(self.source.read(key)).max()) for key in self.keys.values())
        return math.prod(max(peak, 1.0) for peak in peaks) * self.measured.rank > _FLOAT_MAX

    @property
    def is_folded(self) -> bool:
        """Whether the pair is a product of the tensors and not two of them."""
        return set(self.keys) != {"down", "up"}

    @property
    def kept_bytes(self) -> int:
        """Bytes in the canonical file."""
        measured = self.measured
        down = measured.rank * measured.inputs * math.prod(measured.kernel)
        up = measured.rank * measured.outputs
        magnitude = 0 if not self.axis else getattr(measured, self.axis)
        return (
            down * self._item_bytes(self.keys.get("down"))
            + up * self._item_bytes(self.keys.get("up"))
            + magnitude * self._item_bytes(self.magnitude_key, is_factor=False)
        )

    def _item_bytes(self, key: str | None, *, is_factor: bool = True) -> int:
        if key is None or (is_factor and self.is_folded):
            return 4
        return self.source.tensors[key].kept_item_bytes
