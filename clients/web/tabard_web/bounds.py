# SPDX-License-Identifier: Apache-2.0
"""Every bound of the gateway, by name. One that is reached answers with a typed error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tabard import FieldViolation, InvalidArgument

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one request, one caller and all of them together may take.

    Attributes:
        body_bytes_max: Bytes of the body of one request.
        bodies_bytes_max: Bytes of all bodies that are held at once.
        body_seconds_max: How long the body of one request may take to come.
        requests_max: Requests that are answered at once.
        connections_max: Connections to the gateway.
        head_seconds_max: How long a connection may take to say what it asks for.
        reader_seconds_max: How long a connection may read nothing of its answer.
        connections_kept_max: Connections to the server, one for each token, kept while nobody
            uses them.
        pictures_converted_max: Pictures that are read or written anew at once, as for a JPEG.
        picture_pixels_max: Pixels of a picture or mask that the gateway itself reads.
        sessions_max: Sessions of the page; the longest unused gives way.
        session_seconds_max: How long a session of the page lasts that nobody uses.
        pages_max: Open pages that are told what happens.
        job_streams_max: Streams of what becomes of a job.
        covers_kept_max: Covers that were drawn on request, the longest unused gives way.
        stop_seconds_max: How long a gateway that is stopped waits for what it has begun.
    """

    body_bytes_max: int = 48 * _MEBIBYTE
    bodies_bytes_max: int = 512 * _MEBIBYTE
    body_seconds_max: float = 60.0
    requests_max: int = 256
    connections_max: int = 2_048
    head_seconds_max: float = 20.0
    reader_seconds_max: float = 60.0
    connections_kept_max: int = 64
    pictures_converted_max: int = 2
    picture_pixels_max: int = 16_777_216
    sessions_max: int = 1_000
    session_seconds_max: float = 43_200.0
    pages_max: int = 512
    job_streams_max: int = 512
    covers_kept_max: int = 64
    stop_seconds_max: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value: float = getattr(self, field.name)
            if not (value > 0 and math.isfinite(value)):
                raise _refused(field.name, f"{field.name} is {value}", hint="use a positive number")


def read_bounds(words: Mapping[str, str]) -> Bounds:
    """Give the bounds that texts say by name; what is not said stays as it is.

    Raises:
        InvalidArgument: There is no such bound, or its value is no positive number.
    """
    usual = Bounds()
    kinds: dict[str, type] = {one.name: type(getattr(usual, one.name)) for one in fields(Bounds)}
    said: dict[str, Any] = {}
    for name, text in words.items():
        if name not in kinds:
            hint = f"the bounds are: {', '.join(kinds)}"
            raise _refused(name, f"there is no bound {name!r}", hint=hint)
        try:
            said[name] = kinds[name](text)
        except ValueError as error:
            message = f"{name} cannot be {text!r}"
            raise _refused(name, message, hint="use a positive number") from error
    return Bounds(**said)


def _refused(name: str, message: str, *, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason="BAD_SETTINGS", hint=hint, violations=(violation,))
