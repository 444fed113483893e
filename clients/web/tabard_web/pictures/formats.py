# SPDX-License-Identifier: Apache-2.0
"""Images as JPEG and WebP, which say how they were made as the PNG does: in XMP and in EXIF.

In: a PNG as the server made it. Out: the bytes of another format. XMP holds the JSON (`tabard`) and
the mark of a picture that a model made, EXIF's user comment holds A1111's text, where the tools
around it look for it.
"""

from __future__ import annotations

import io
import re
from typing import Any, Literal
from xml.sax.saxutils import escape, unescape

from PIL import Image
from PIL.ExifTags import IFD, Base

from tabard import InvalidArgument
from tabard.pictures.png_text import read_texts

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: dict[Format, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

_PNG_XMP = "XML:com.adobe.xmp"
_USER_COMMENT = 0x9286
_UNICODE = b"UNICODE\0"
_SEGMENT_BYTES_MAX = 65_000
"""What a JPEG can say of itself in one segment, a little less."""
_NAMESPACE = "urn:tabard:provenance:1"
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:tabard="{namespace}"{mark}>'
    "<tabard:provenance>{json}</tabard:provenance>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
_MARK = re.compile(r'Iptc4xmpExt:DigitalSourceType="[^"<>]*"')
"""What the PNG's own XMP says of its source: that a model made it."""
_IPTC = ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
_PROVENANCE = re.compile(rb"<tabard:provenance>(.*?)</tabard:provenance>", re.DOTALL)


def written_as(png: bytes, kind: Format, *, quality: int = 100) -> bytes:
    """Give an image in a format; a PNG stays as it is, to the byte.

    Raises:
        InvalidArgument: What the image says of itself does not fit into the format.
    """
    if kind == "png":
        return png
    texts = read_texts(png)
    mark = _MARK.search(texts.get(_PNG_XMP, ""))
    xmp = _XMP.format(
        namespace=_NAMESPACE,
        mark=_IPTC + mark[0] if mark else "",
        json=escape(texts.get("tabard", "")),
    ).encode()
    exif = _exif(texts.get("parameters", ""))
    if kind == "jpeg" and max(len(xmp), len(exif)) > _SEGMENT_BYTES_MAX:
        raise InvalidArgument(
            "what this image says of itself is too long for a JPEG",
            reason="PROVENANCE_TOO_LONG",
            hint="take png or webp, or a shorter prompt",
        )
    sink = io.BytesIO()
    options: dict[str, Any] = {"subsampling": 0} if kind == "jpeg" else {"method": 4}
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        rgb = image.convert("RGB")
        rgb.save(sink, format=kind.upper(), quality=quality, exif=exif, xmp=xmp, **options)
    return sink.getvalue()


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


def _exif(parameters: str) -> bytes:
    exif = Image.Exif()
    exif[Base.Software] = "tabard"
    exif.get_ifd(IFD.Exif)[_USER_COMMENT] = _UNICODE + parameters.encode("utf-16-be")
    return exif.tobytes()


def _comment(comment: Any) -> str:
    if not isinstance(comment, bytes) or not comment.startswith(_UNICODE):
        return ""
    return comment.removeprefix(_UNICODE).decode("utf-16-be", "replace")


def _provenance(xmp: Any) -> str:
    found = _PROVENANCE.search(xmp) if isinstance(xmp, bytes) else None
    return unescape(found[1].decode("utf-8", "replace")) if found else ""
