# SPDX-License-Identifier: Apache-2.0
"""What a picture says of itself: PNG, JPEG or WebP, which strangers may have made.

A PNG has its words in text chunks; the others have the JSON in XMP (`tabard`) and A1111's text in
EXIF's user comment (`parameters`). Read from the bytes alone, and bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from xml.sax.saxutils import unescape

from tabard.enums import ImageFormat
from tabard.pictures.png_text import PNG_BYTES_MAX, TEXT_BYTES_MAX, damaged, read_texts

FORMATS: tuple[ImageFormat, ...] = ("png", "jpeg", "webp")
"""What can be read."""

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PARTS_MAX = 4_096
_EXIF_FOLDER, _USER_COMMENT = 0x8769, 0x9286
_UNICODE = b"UNICODE\0"
_BEGIN, _END = b"<tabard:provenance>", b"</tabard:provenance>"


def format_of(picture: bytes) -> ImageFormat:
    """Say what a picture is written as, by its first bytes.

    Raises:
        InvalidArgument: As nothing that can be read, or it is too large.
    """
    if len(picture) <= PNG_BYTES_MAX:
        if picture.startswith(b"\x89PNG\r\n\x1a\n"):
            return "png"
        if picture.startswith(b"\xff\xd8\xff"):
            return "jpeg"
        if picture.startswith(b"RIFF") and picture[8:12] == b"WEBP":
            return "webp"
    raise damaged("this is no PNG, JPEG or WebP")


def read_words(picture: bytes) -> dict[str, str]:
    """Give what a picture says of itself: `tabard` is the JSON, `parameters` is A1111's text.

    Raises:
        InvalidArgument: It is no PNG, JPEG or WebP, or is damaged (`NOT_A_PICTURE`).
    """
    kind = format_of(picture)
    if kind == "png":
        return read_texts(picture)
    exif = xmp = b""
    for name, content in _jpeg_parts(picture) if kind == "jpeg" else _webp_parts(picture):
        if len(content) + len(xmp) > TEXT_BYTES_MAX:
            raise damaged(f"what this picture says is longer than {TEXT_BYTES_MAX} bytes")
        if name == "xmp":
            xmp += content
        else:
            exif = content
    words = {"parameters": _comment(exif), "tabard": _provenance(xmp)}
    return {name: text for name, text in words.items() if text}


def _jpeg_parts(picture: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield EXIF and XMP: segments before the pixels."""
    at = 2
    for _ in range(_PARTS_MAX):
        if picture[at : at + 1] != b"\xff" or at + 4 > len(picture):
            raise damaged("this JPEG ends before its pixels")
        marker = picture[at + 1]
        if marker == 0xFF:  # what fills up
            at += 1
            continue
        if marker == 0xDA:
            return
        (length,) = struct.unpack_from(">H", picture, at + 2)
        content = picture[at + 4 : at + 2 + length]
        if marker == 0xE1 and content.startswith(_EXIF):
            yield "exif", content.removeprefix(_EXIF)
        elif marker == 0xE1 and content.startswith(_XMP):
            yield "xmp", content.removeprefix(_XMP)
        at += 2 + max(length, 2)
    raise damaged("this JPEG has too many parts")


def _webp_parts(picture: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield EXIF and XMP: chunks behind the pixels."""
    at = 12
    for _ in range(_PARTS_MAX):
        if at >= len(picture):
            return
        if at + 8 > len(picture):
            raise damaged("this WebP ends within a part")
        kind, (length,) = picture[at : at + 4], struct.unpack_from("<I", picture, at + 4)
        end = at + 8 + length
        if end > len(picture):
            raise damaged("this WebP ends within a part")
        if kind == b"EXIF":
            yield "exif", picture[at + 8 : end].removeprefix(_EXIF)
        elif kind == b"XMP ":
            yield "xmp", picture[at + 8 : end]
        at = end + length % 2
    raise damaged("this WebP has too many parts")


def _comment(exif: bytes) -> str:
    """Read the user comment; what cannot be read is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return ""
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (start,) = struct.unpack(f"{order}I", _entry(exif, start, _EXIF_FOLDER, order=order)[1])
        count, place = _entry(exif, start, _USER_COMMENT, order=order)
        (start,) = struct.unpack(f"{order}I", place)
    except (struct.error, KeyError):
        return ""
    comment = exif[start : start + count]
    if not comment.startswith(_UNICODE):
        return ""
    return comment.removeprefix(_UNICODE).decode("utf-16-be", "replace")


def _entry(exif: bytes, start: int, wanted: int, *, order: str) -> tuple[int, bytes]:
    """Return how many values a folder's entry has, and the four bytes that say where, or what."""
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, _kind, values = struct.unpack_from(f"{order}HHI", exif, place)
        if tag == wanted:
            return values, exif[place + 8 : place + 12]
    raise KeyError(wanted)


def _provenance(xmp: bytes) -> str:
    _before, _begin, rest = xmp.partition(_BEGIN)
    found, end, behind = rest.partition(_END)
    if not end:
        return ""
    if _BEGIN in behind:
        raise damaged("this picture says twice how it was made")
    return unescape(found.decode("utf-8", "replace"))
