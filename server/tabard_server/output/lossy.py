# SPDX-License-Identifier: Apache-2.0
"""Images as JPEG and WebP, which say how they were made as a PNG does: in XMP and in EXIF.

In: pixels and words. Out: a file. XMP holds the JSON and the mark of a picture that a model made,
EXIF's user comment holds A1111's text, where the tools around it look for it.
"""

import io
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import invalid
from tabard_server.jobs.job import Written

_USER_COMMENT = 0x9286
_UNICODE = b"UNICODE\0"
_SEGMENT_BYTES_MAX = 65_000
"""What a JPEG can say of itself in one segment, a little less."""


def write_lossy(pixels: Pixels, *, written: Written, xmp: str, parameters: str) -> bytes:
    """Return the file of an image.

    Args:
        pixels: uint8, shape `[height, width, 3]`.
        written: JPEG or WebP, and its quality.
        xmp: The JSON and the mark.
        parameters: A1111's text; empty: none.

    Raises:
        InvalidRequest: What it says of itself does not fit into a JPEG.
    """
    told, exif = xmp.encode(), _exif(parameters)
    is_jpeg = written.format == "jpeg"
    if is_jpeg and max(len(told), len(exif)) > _SEGMENT_BYTES_MAX:
        raise invalid(
            "image_format",
            "what this image says of itself is too long for a JPEG",
            reason="PROVENANCE_TOO_LONG",
            hint="take png or webp, or a shorter prompt",
        )
    options: dict[str, Any] = {"subsampling": 0} if is_jpeg else {"method": 4}
    sink = io.BytesIO()
    Image.fromarray(pixels).save(
        sink,
        format=written.format.upper(),
        quality=written.quality,
        exif=exif,
        xmp=told,
        **options,
    )
    return sink.getvalue()


def _exif(parameters: str) -> bytes:
    exif = Image.Exif()
    exif[Base.Software] = "tabard"
    if parameters:
        exif.get_ifd(IFD.Exif)[_USER_COMMENT] = _UNICODE + parameters.encode("utf-16-be")
    return exif.tobytes()
