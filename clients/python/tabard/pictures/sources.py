# SPDX-License-Identifier: Apache-2.0
"""A picture as people have it - a path, bytes, a Pillow image - becomes the bytes that are sent.

Files go as they are, so that their hash in the provenance is theirs. Pillow is asked for nothing
unless its images are given.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tabard.errors import FieldViolation, InvalidArgument


class PillowImage(Protocol):
    """What is asked of a Pillow image."""

    @property
    def mode(self) -> str:
        """What its pixels are made of."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write it into an open file."""


PictureSource: TypeAlias = str | Path | bytes | PillowImage
"""A path, the bytes of a PNG, JPEG or WebP file, or a Pillow image."""


def read_picture(source: PictureSource, *, name: str) -> bytes:
    """Return the bytes to send.

    Args:
        source: The picture.
        name: Of the parameter, for the error.

    Raises:
        InvalidArgument: There is no such file, it cannot be read, or it is no picture at all.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, Path)):
        return _read_file(Path(source), name=name)
    if hasattr(source, "save") and hasattr(source, "mode"):
        return _encode(source, name=name)
    raise _refused(
        name,
        f"{name} is of type {type(source).__name__}, not a picture",
        reason="NOT_A_PICTURE",
        hint="give a path, bytes, or a Pillow image",
    )


def _read_file(path: Path, *, name: str) -> bytes:
    if not path.is_file():
        raise _refused(
            name,
            f"{name}: there is no file '{path}'",
            reason="FILE_NOT_FOUND",
            hint="check the path",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(
            name,
            f"{name}: '{path}' cannot be read: {error.strerror}",
            reason="FILE_NOT_READABLE",
            hint="check its permissions",
        ) from error


def _encode(image: PillowImage, *, name: str) -> bytes:
    sink = io.BytesIO()
    try:
        # Fast rather than small: it is sent once.
        image.save(sink, format="PNG", compress_level=1)
    except OSError as error:
        raise _refused(
            name,
            f"{name}: a Pillow image of mode {image.mode} cannot be sent as PNG",
            reason="NOT_A_PICTURE",
            hint='convert it first: image.convert("RGB")',
        ) from error
    return sink.getvalue()


def _refused(name: str, message: str, *, reason: str, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason=reason, hint=hint, violations=(violation,))
