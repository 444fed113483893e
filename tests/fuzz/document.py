# SPDX-License-Identifier: Apache-2.0
"""A safetensors file as a value that can be bent: tensors by key, metadata, how they are written.

Written by hand and not by the safetensors package, which refuses to write what is wrong.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U16": "<u2"}
ITEM_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "U16": 2, "U8": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor: its type as the format names it, its shape, its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says.

    Attributes:
        tensors: In the order in which their bytes lie in the file.
        metadata: Free texts.
        config: The `adapter_config.json` beside it, or None.
        trigger_words: What the author says of it.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] | None = None
    trigger_words: tuple[str, ...] = ()

    def with_tensor(self, key: str, tensor: Tensor) -> Document:
        """Return a copy with a tensor added or replaced."""
        return replace(self, tensors={**self.tensors, key: tensor})

    @property
    def is_plain(self) -> bool:
        """Whether every tensor can be decoded, so that it can be bent further."""
        return bool(self.tensors) and all(
            (tensor.dtype == "BF16" or tensor.dtype in NUMPY)
            and math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype] == len(tensor.data) > 0
            for tensor in self.tensors.values()
        )

    def header(self) -> dict[str, Any]:
        """Return the header that describes it."""
        header: dict[str, Any] = {"__metadata__": dict(self.metadata)} if self.metadata else {}
        offset = 0
        for key, tensor in self.tensors.items():
            end = offset + len(tensor.data)
            header[key] = {
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "data_offsets": [offset, end],
            }
            offset = end
        return header

    def data(self) -> bytes:
        """Return the bytes after the header."""
        return b"".join(tensor.data for tensor in self.tensors.values())


def encode(found: Array, dtype: str) -> Tensor:
    """Write numbers as a tensor of a type; BF16 drops the lower half of a float32."""
    if dtype == "BF16":
        bits = found.astype("<f4").view("<u4") >> 16
        return Tensor(dtype=dtype, shape=found.shape, data=bits.astype("<u2").tobytes())
    return Tensor(dtype=dtype, shape=found.shape, data=found.astype(NUMPY[dtype]).tobytes())


def decode(tensor: Tensor) -> Array:
    """Read the numbers of a tensor, exactly."""
    if tensor.dtype == "BF16":
        bits = np.frombuffer(tensor.data, "<u2").astype("<u4") << 16
        return bits.view("<f4").reshape(tensor.shape)
    return np.frombuffer(tensor.data, NUMPY[tensor.dtype]).reshape(tensor.shape)


def to_text(header: Any) -> bytes:
    """Write a header as the safetensors package does, whatever it holds."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def assemble(text: bytes, data: bytes) -> bytes:
    """Put a file together."""
    return len(text).to_bytes(8, "little") + text + data
