# SPDX-License-Identifier: Apache-2.0
"""One array of a change that is not low-rank: which keys of which file, and how it is written down.

Keys in; arrays out, in float16 or float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.products import Array, Span, kept, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePart:
    """One array.

    Attributes:
        source: The file that holds it.
        key: Its key there.
        shape: Its shape in the canonical file.
        rewrite: What its numbers must go through first; None: they are kept to the bit.
        beside: Keys of further factors, which `rewrite` takes after the first.
        rows: Which rows of it are meant, in this order; empty: all.
    """

    source: TensorFile
    key: str
    shape: tuple[int, ...]
    rewrite: Callable[..., Array] | None = None
    beside: tuple[str, ...] = ()
    rows: tuple[Span, ...] = ()

    def read(self) -> Array:
        """Return it in float16 or float32.

        Raises:
            OSError: The file is gone.
        """
        found = self.source.read(self.key)
        if self.rewrite is not None:
            others = (self.source.read(key).astype(np.float64) for key in self.beside)
            found = self.rewrite(found.astype(np.float64), *others).astype(np.float32)
        if self.rows:
            found = rows_of(found.reshape(-1, *self.shape[1:]), self.rows)
        return kept(found).reshape(self.shape)

    def is_zero(self) -> bool:
        """Whether the file has nothing but zeros there, or in another factor of it."""
        return any(self.source.is_zero(key) for key in (self.key, *self.beside))

    @property
    def kept_bytes(self) -> int:
        """Bytes in the canonical file."""
        is_rewritten = self.rewrite is not None
        return math.prod(self.shape) * (
            4 if is_rewritten else self.source.tensors[self.key].kept_item_bytes
        )
