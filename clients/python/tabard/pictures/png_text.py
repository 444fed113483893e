# SPDX-License-Identifier: Apache-2.0
"""The text chunks of a PNG, read from bytes that strangers may have made; everything is bounded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tabard.errors import InvalidArgument

PNG_BYTES_MAX = 256 << 20
"""Largest PNG that is read."""
TEXT_BYTES_MAX = 1 << 20
"""Longest text of a chunk, compressed or not."""
SHEET_KEYWORD = "tabard-sheet"
"""Keyword of the text by which a contact sheet says that it is one."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def read_texts(png: bytes) -> dict[str, str]:
    """Return the texts of a PNG by keyword.

    Raises:
        InvalidArgument: It is no PNG, it is damaged, a text is too long, or stands there twice.
    """
    if not png.startswith(_SIGNATURE) or len(png) > PNG_BYTES_MAX:
        raise damaged("this is no PNG")
    texts: dict[str, str] = {}
    for kind, content in _chunks(png):
        if kind not in _TEXTS:
            continue
        if len(content) > TEXT_BYTES_MAX:
            raise damaged(f"a text of this PNG is longer than {TEXT_BYTES_MAX} bytes")
        keyword, _, rest = content.partition(b"\0")
        name = keyword.decode("latin-1")
        if name in texts:
            raise damaged(f"this PNG has two texts {name[:80]!r}")
        texts[name] = _text(kind, rest)
    return texts


def damaged(message: str) -> InvalidArgument:
    """Return the error of a file that cannot be read."""
    return InvalidArgument(message, reason="NOT_A_PICTURE", hint="give the file as Tabard wrote it")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        if at + 12 > len(png):
            raise damaged("this PNG ends within a chunk")
        (length,) = struct.unpack_from(">I", png, at)
        kind, end = png[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(png):
            raise damaged("this PNG ends within a chunk")
        if kind in _TEXTS:
            if struct.unpack_from(">I", png, end) != (zlib.crc32(png[at + 4 : end]),):
                raise damaged("a text of this PNG is damaged: its checksum is another")
            yield kind, png[at + 8 : end]
        if kind == b"IEND":
            return
        at = end + 4
    raise damaged("this PNG has no end")


def _text(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _unpacked(rest[1:]).decode("latin-1")
    # Two bytes say whether and how it is packed; language and translated keyword end with a zero.
    is_packed = rest[:1] == b"\x01"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, written = rest.partition(b"\0")
    try:
        return (_unpacked(written) if is_packed else written).decode()
    except UnicodeDecodeError as error:
        raise damaged("a text of this PNG is not UTF-8") from error


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, TEXT_BYTES_MAX)
    except zlib.error as error:
        raise damaged("a text of this PNG cannot be unpacked") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise damaged(f"a text of this PNG is cut, or longer than {TEXT_BYTES_MAX} bytes")
    return text
