# SPDX-License-Identifier: Apache-2.0
"""What a picture says of itself, whatever its format: PNG, JPEG or WebP.

In: a file as the server made it. Out: its words. A PNG has them in text chunks, the others the JSON
in XMP (`tabard`) and A1111's text in EXIF's user comment.
"""

from __future__ import annotations

import io
import re
from typing import Any, Literal
from xml.sax.saxutils import unescape

from PIL import Image
from PIL.ExifTags import IFD

from tabard import InvalidArgument
from tabard.pictures.png_text import read_texts

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: dict[Format, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

_USER_COMMENT = 0x9286
_UNICODE = b"UNICODE\0"
_PROVENANCE = re.compile(rb"<tabard:provenance>(.*?)</tabard:provenance>", re.DOTALL)


def read_words(picture: bytes) -> dict[str, str]:
    """Give what a picture says of itself: `tabard` is the JSON, `parameters` is A1111's text.

    Raises:
        InvalidArgument: It is no PNG, JPEG or WebP, or is damaged.
    """
    if picture.startswith(b"\x89PNG"):
        return read_texts(picture)
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG", "WEBP")) as image:
            comment = image.getexif().get_ifd(IFD.Exif).get(_USER_COMMENT, b"")
            xmp = image.info.get("xmp", b"")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidArgument(
            "this is no PNG, JPEG or WebP", reason="NOT_A_PICTURE", hint="send such a picture"
        ) from error
    words = {"parameters": _comment(comment), "tabard": _provenance(xmp)}
    return {name: text for name, text in words.items() if text}


def _comment(comment: Any) -> str:
    if not isinstance(comment, bytes) or not comment.startswith(_UNICODE):
        return ""
    return comment.removeprefix(_UNICODE).decode("utf-16-be", "replace")


def _provenance(xmp: Any) -> str:
    found = _PROVENANCE.search(xmp) if isinstance(xmp, bytes) else None
    return unescape(found[1].decode("utf-8", "replace")) if found else ""
