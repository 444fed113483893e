# SPDX-License-Identifier: Apache-2.0
"""Pictures as files, made for tests."""

import io
from collections.abc import Mapping

from PIL import Image, PngImagePlugin


def png_of(words: Mapping[str, str]) -> bytes:
    """Give a PNG with texts."""
    sink, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in words.items():
        chunks.add_itxt(name, text)
    Image.linear_gradient("L").convert("RGB").save(sink, format="PNG", pnginfo=chunks)
    return sink.getvalue()
