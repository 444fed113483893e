# SPDX-License-Identifier: Apache-2.0
"""Pictures as files, made for tests."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image, PngImagePlugin

from tabard import ImageFormat
from tabard_server.jobs.job import Written
from tabard_server.output.lossy import write_lossy
from tabard_server.output.marking import marked


def png_of(words: Mapping[str, str]) -> bytes:
    """Give a PNG with texts."""
    sink, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in words.items():
        chunks.add_itxt(name, text)
    Image.linear_gradient("L").convert("RGB").save(sink, format="PNG", pnginfo=chunks)
    return sink.getvalue()


def file_of(words: Mapping[str, str], kind: ImageFormat) -> bytes:
    """Give a picture with words, as a server writes it."""
    if kind == "png":
        return png_of(words)
    return write_lossy(
        np.zeros((8, 8, 3), dtype=np.uint8),
        written=Written(format=kind),
        xmp=marked(is_composite=False, provenance_json=words.get("tabard", "")),
        parameters=words.get("parameters", ""),
    )
