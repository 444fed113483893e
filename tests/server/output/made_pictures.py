# SPDX-License-Identifier: Apache-2.0
"""Pictures of noise, their files, and a small file of an enormous picture."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def picture(mode: str = "RGB", *, size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Return noise."""
    rows = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(rows).convert(mode)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return a file."""
    sink = io.BytesIO()
    image.save(sink, format=kind, **options)
    return sink.getvalue()


def bomb(side: int) -> bytes:
    """Return a small PNG that says it is large."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    return data
