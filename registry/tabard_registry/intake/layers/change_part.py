# SPDX-License-Identifier: Apache-2.0
"""One array of a change that is not low-rank: which key of which file, and how it is written down.

Keys in; arrays out, in float16 or float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry.intake.files.safetensors import TensorFile

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePart:
    """One array.

    Attributes:
        source: The file that holds it.
        key: Its key there.
        shape: Its shape in the canonical file.
        rewrite: What its numbers must go through first; None: they are kept to the bit.
    """

    source: TensorFile
    key: str
    shape: tuple[int, ...]
    rewrite: Callable[[Array], Array] | None = None

    def read(self) -> Array:
        """Return it in float16 or float32.

        Raises:
            OSError: The file is gone.
        """
        found = self.source.read(self.key)
        if self.rewrite is not None:
            found = self.rewrite(found.astype(np.float64)).astype(np.float32)
        kept = found if found.dtype in (np.float16, np.float32) else found.astype(np.float32)
        return kept.reshape(self.shape)

    def is_zero(self) -> bool:
        """Whether the file has nothing but zeros there."""
        return self.source.is_zero(self.key)

    @property
    def kept_bytes(self) -> int:
        """Bytes in the canonical file."""
        is_half = self.rewrite is None and self.source.tensors[self.key].dtype == "F16"
        return math.prod(self.shape) * (2 if is_half else 4)
