# SPDX-License-Identifier: Apache-2.0
"""A PNG without what says nothing of its pixels: colour profiles and texts, of whatever size.

Bytes in, bytes out. Readers bound such chunks and refuse the picture for their sake; how a picture
is turned, which may stand in a text, is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PROFILE = b"iCCP"
_TURNED = (
    *(b"exif\0", b"Raw profile type exif\0", b"Raw profile type APP1\0"),
    b"XML:com.adobe.xmp\0",
)
"""Keywords of the texts in which orientation may stand."""
_FRAME_BYTES = 12
"""Length, type and checksum of a chunk."""


def pixels_only(data: bytes) -> bytes:
    """Drop profiles and texts of a PNG; a broken one stays broken, and anything else as it is."""
    if not data.startswith(_SIGNATURE):
        return data
    kept, view = bytearray(_SIGNATURE), memoryview(data)
    for start, end in _chunks(data):
        if not _is_dropped(data, start, end):
            kept += view[start:end]
    return bytes(kept)


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each chunk begins and ends; the last one is whatever is left."""
    start = len(_SIGNATURE)
    while start < len(data):
        end = len(data)
        if start + _FRAME_BYTES <= len(data):
            (length,) = struct.unpack_from(">I", data, start)
            end = min(start + _FRAME_BYTES + length, len(data))
        yield start, end
        start = end


def _is_dropped(data: bytes, start: int, end: int) -> bool:
    kind = data[start + 4 : start + 8]
    is_turned = kind in _TEXTS and data.startswith(_TURNED, start + 8, end)
    return kind == _PROFILE or (kind in _TEXTS and not is_turned)
