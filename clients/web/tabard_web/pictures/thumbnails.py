# SPDX-License-Identifier: Apache-2.0
"""Small WebPs of pictures, for lists of many; they keep the mark that a model made them, no more.

In: a picture, usually a PNG of evidence. Out: a WebP that is no larger than asked.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from PIL import Image

from tabard import InvalidArgument

MEDIA_TYPE = "image/webp"
_QUALITY = 86
_MARK_BYTES_MAX = 2_048
"""More XMP than that is somebody's own, and not the mark alone."""


def require_pixels(picture: bytes, *, pixels_max: int) -> None:
    """See that a picture is small enough to be worked on, by what it says of itself.

    Raises:
        InvalidArgument: It is no PNG, JPEG or WebP, or has more than `pixels_max` pixels.
    """
    with _opened(picture, pixels_max=pixels_max):
        pass


def thumbnail(picture: bytes, *, pixels: int, pixels_max: int) -> bytes:
    """Give a picture whose longer side has `pixels` at most.

    Raises:
        InvalidArgument: It is no picture, is damaged, or has more than `pixels_max` pixels.
    """
    with _opened(picture, pixels_max=pixels_max) as image:
        small = image.convert("RGB")
        mark = image.info.get("xmp", b"")
    small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    kept = mark if isinstance(mark, bytes) and len(mark) <= _MARK_BYTES_MAX else b""
    small.save(sink, format="WEBP", quality=_QUALITY, method=4, xmp=kept)
    return sink.getvalue()


@contextlib.contextmanager
def _opened(picture: bytes, *, pixels_max: int) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > pixels_max:
                raise _refused(f"this picture has more than {pixels_max} pixels")
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _refused("this picture cannot be read") from error


def _refused(message: str) -> InvalidArgument:
    return InvalidArgument(message, reason="NOT_A_PICTURE", hint="take a smaller PNG, JPEG or WebP")
