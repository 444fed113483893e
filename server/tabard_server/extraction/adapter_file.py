# SPDX-License-Identifier: Apache-2.0
"""A safetensors file written tensor by tensor, so that an exact adapter never lies in memory.

The bytes wait beside the file until all shapes are known. Equal tensors and metadata in equal
order make equal bytes; nothing stands under the final name before `keep`.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import torch

_ALIGNED_BYTES = 8


class AdapterFile:
    """One file on its way. Use it in a `with` block; what is not kept is gone after it.

    Attributes:
        unnamed: The whole file after `finish`, under a name of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tensors = path.with_name(f"{path.name}.tensors")
        self.unnamed = path.with_name(f"{path.name}.draft")
        self._entries: dict[str, Any] = {}
        self._written_bytes = 0
        self._out: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._out = self._tensors.open("wb")
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove everything but what was kept."""
        if self._out is not None:
            self._out.close()
        self._tensors.unlink(missing_ok=True)
        self.unnamed.unlink(missing_ok=True)

    def add(self, key: str, tensor: torch.Tensor) -> None:
        """Write one tensor in float32."""
        assert self._out is not None and key not in self._entries, key
        array = np.ascontiguousarray(tensor.detach().to("cpu", torch.float32).numpy())
        end = self._written_bytes + array.nbytes
        self._entries[key] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [self._written_bytes, end],
        }
        self._out.write(array.reshape(-1).data.cast("B"))
        self._written_bytes = end

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Put the header before the tensors; no tensor can be added after it."""
        assert self._out is not None
        self._out.close()
        self._out = None
        header = json.dumps(
            {"__metadata__": dict(sorted(metadata.items())), **self._entries},
            separators=(",", ":"),
        ).encode("ascii")
        header += b" " * (-len(header) % _ALIGNED_BYTES)
        with self.unnamed.open("wb") as whole, self._tensors.open("rb") as tensors:
            whole.write(len(header).to_bytes(8, "little") + header)
            shutil.copyfileobj(tensors, whole, 1 << 20)
        self._tensors.unlink()

    def keep(self) -> None:
        """Give the finished file its name."""
        self.unnamed.replace(self._path)
