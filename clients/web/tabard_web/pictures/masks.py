# SPDX-License-Identifier: Apache-2.0
"""A mask by transparency, as OpenAI's clients send it, becomes one by brightness, as Tabard has it.

In: the bytes of a picture that a stranger may have made. Out: a PNG that is white where the picture
is drawn anew.
"""

from __future__ import annotations

import io

from PIL import Image, ImageChops

from tabard import FieldViolation, InvalidArgument

_FORMATS = ("PNG", "WEBP")


def mask_of(picture: bytes, *, pixels_max: int) -> bytes:
    """Give the mask of what is transparent in a picture.

    Raises:
        InvalidArgument: It cannot be read, is too large, or has no transparency.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=_FORMATS) as image:
            if image.width * image.height > pixels_max:
                raise _refused(f"it has more than {pixels_max} pixels", "send it smaller")
            if not image.has_transparency_data:
                raise _refused("it has no transparency", "make it transparent where to draw")
            opaque = image.convert("RGBA").getchannel("A")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _refused("it cannot be read", "send a PNG or WebP") from error
    sink = io.BytesIO()
    # Fast rather than small: it is sent once.
    ImageChops.invert(opaque).save(sink, format="PNG", compress_level=1)
    return sink.getvalue()


def _refused(message: str, hint: str) -> InvalidArgument:
    violation = FieldViolation(field="mask", description=message)
    return InvalidArgument(
        f"mask: {message}", reason="MASK_UNREADABLE", hint=hint, violations=(violation,)
    )
