# SPDX-License-Identifier: Apache-2.0
"""The verb that finds a picture again among the evidence of releases."""

from __future__ import annotations

from typing import Any

from tabard.calls.call import Call, Caller
from tabard.calls.replay import provenance_of
from tabard.convert import same_fields
from tabard.errors import InvalidArgument
from tabard.health.evidence import Lookup, PictureMatch
from tabard.pictures.sources import PictureSource, read_picture
from tabard.v1 import evidence_service_pb2 as pb

LOOKUP_TIMEOUT_SECONDS = 300.0
"""How long a search may take: a server reads pictures that nobody has looked for yet."""


def lookup(
    caller: Caller, picture: PictureSource, *, timeout_seconds: float = LOOKUP_TIMEOUT_SECONDS
) -> Call[Lookup]:
    """Find a picture again among the evidence that you may see, and how it was made.

    By its file, else by its pixels, else by its looks: a picture that was saved again or made
    smaller is found, one that was cut or mirrored is not.

    Args:
        caller: Filled in by the client.
        picture: A path, bytes, or a Pillow image.
        timeout_seconds: Deadline.

    Raises:
        InvalidArgument: It is no picture that can be read.
    """
    del caller
    return Call(
        request=pb.LookupPictureRequest(image=read_picture(picture, name="picture")),
        read=read_lookup,
        timeout_seconds=timeout_seconds,
    )


def read_lookup(message: pb.LookupPictureResponse) -> Lookup:
    """Give the value of what came of a search."""
    png = bytes(message.png)
    said: dict[str, Any] = {} if message.HasField("nearest_bits") else {"nearest_bits": None}
    return same_fields(
        Lookup,
        message,
        matches=tuple(map(_match, message.matches)),
        png=png,
        recipe=recipe_of(png),
        **said,
    )


def recipe_of(png: bytes) -> dict[str, Any] | None:
    """Give what a file says of how it was made; None: nothing that can be read."""
    try:
        return provenance_of(png)
    except InvalidArgument:
        return None


def _match(message: pb.PictureMatch) -> PictureMatch:
    absent = [name for name in ("prompt_index", "seed") if not message.HasField(name)]
    said: dict[str, Any] = dict.fromkeys(absent)
    return same_fields(PictureMatch, message, **said)
