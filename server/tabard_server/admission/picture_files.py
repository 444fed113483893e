# SPDX-License-Identifier: Apache-2.0
"""Picture files of strangers: PNG, JPEG or WebP in, an upright Pillow image out, or a refusal.

What cannot be read as one meaning - transparency, animation, 16 bits - is refused, never guessed.
"""

import io
import struct

from PIL import Image, ImageOps, UnidentifiedImageError

from tabard_server.admission.png_chunks import pixels_only
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.limits import Limits

FORMATS = ("PNG", "JPEG", "WEBP")
"""What is read; decided by content, never by a name."""

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error)
"""What Pillow raises at files that are not what they say."""
_TOO_LONG = ("Decompressed data too large", "Too much memory used in text chunks")
"""What Pillow says of texts beyond a megabyte; only those in which orientation stands are left."""
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def open_picture(data: bytes, *, field: str, limits: Limits) -> Image.Image:
    """Return a file's picture, decoded, upright, without transparency: mode `L` or `RGB`.

    Args:
        data: The file.
        field: The request's field it came in.
        limits: Bounds of bytes and pixels; pixels are checked before any is decoded.

    Raises:
        InvalidRequest: It is no such file, or beyond the limits.
    """
    if not data:
        raise _not_readable(field, "it is empty")
    if len(data) > limits.picture_bytes_max:
        raise invalid(
            field,
            f"{field} has {len(data)} bytes, at most {limits.picture_bytes_max}",
            reason="IMAGE_TOO_LARGE",
            hint="send it smaller, or as JPEG (limits.picture_bytes_max)",
        )
    try:
        with Image.open(io.BytesIO(pixels_only(data)), formats=FORMATS) as image:
            _check_kind(image, field=field, limits=limits)
            upright = ImageOps.exif_transpose(image)
            return _opaque(upright, field=field)
    except _BOMBS as error:
        raise _too_many_pixels(field, "far more pixels", limits=limits) from error
    except _BROKEN as error:
        if str(error).startswith(_TOO_LONG):
            raise _too_long(field) from error
        is_stranger = isinstance(error, UnidentifiedImageError)
        why = "it is no PNG, JPEG or WebP" if is_stranger else "it is not whole, or damaged"
        raise _not_readable(field, why) from error


def _check_kind(image: Image.Image, *, field: str, limits: Limits) -> None:
    if image.width * image.height > limits.picture_pixels_max:
        raise _too_many_pixels(field, f"{image.width}x{image.height} pixels", limits=limits)
    # A phone's JPEG may hold a second, smaller picture; the first is the one that is seen.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise invalid(
            field,
            f"{field} moves: it has {getattr(image, 'n_frames', 0)} frames",
            reason="IMAGE_ANIMATED",
            hint="send one of its frames",
        )
    if image.mode not in _MODES:
        raise invalid(
            field,
            f"{field} has pixels of the kind {image.mode}, not 8 bits a channel",
            reason="IMAGE_NOT_READABLE",
            hint="save it with 8 bits a channel",
        )


def _opaque(image: Image.Image, *, field: str) -> Image.Image:
    if image.has_transparency_data:
        least, _most = image.convert("RGBA").getchannel("A").getextrema()
        if least != 255:
            raise invalid(
                field,
                f"{field} is transparent in places, and what lies there is not said",
                reason="IMAGE_TRANSPARENT",
                hint="put it on a background first; in a mask, white is drawn anew, black stays",
            )
    return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")


def _too_many_pixels(field: str, what: str, *, limits: Limits) -> InvalidRequest:
    return invalid(
        field,
        f"{field} has {what}, at most {limits.picture_pixels_max} are decoded",
        reason="IMAGE_TOO_LARGE",
        hint="send it smaller (limits.picture_pixels_max)",
    )


def _too_long(field: str) -> InvalidRequest:
    return invalid(
        field,
        f"{field} says how it is turned in a text of more than a megabyte",
        reason="IMAGE_NOT_READABLE",
        hint="save it without metadata, or as JPEG",
    )


def _not_readable(field: str, why: str) -> InvalidRequest:
    return invalid(
        field,
        f"{field} is no picture that can be read: {why}",
        reason="IMAGE_NOT_READABLE",
        hint="send the bytes of a whole PNG, JPEG or WebP file",
    )
