# SPDX-License-Identifier: Apache-2.0
"""Safetensors files with any header, sound or not."""

import json
import struct
from pathlib import Path
from typing import Any

from tabard_registry import IntakeLimits, Problem
from tabard_registry.intake.files.safetensors import TensorFile, open_tensors

LIMITS = IntakeLimits(header_bytes_max=100_000, file_bytes_max=1_000_000, tensors_max=100)


def entry(start: int = 0, end: int = 4, **changes: Any) -> dict[str, Any]:
    """One F32 number at some place, with some fields changed."""
    return {"dtype": "F32", "shape": [1], "data_offsets": [start, end], **changes}


def raw(path: Path, header: object, data: bytes = b"\0" * 4) -> Path:
    """Write a file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def opened(path: Path) -> TensorFile | Problem:
    """Open with small limits."""
    return open_tensors(path, limits=LIMITS)
