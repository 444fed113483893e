# SPDX-License-Identifier: Apache-2.0
"""Messages of PublishReferences on their way in: a header, then pictures."""

import asyncio
from collections.abc import AsyncIterator, Callable

from tabard.v1 import evidence_service_pb2 as pb
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.evidence.references import ReferenceFiles, ReferencesWish

ReadHeader = Callable[[pb.ReferencesHeader], ReferencesWish]


async def receive_references(
    parts: AsyncIterator[pb.PublishReferencesRequest], *, read: ReadHeader, files: ReferenceFiles
) -> ReferencesWish:
    """Read a stream to its end; return what it is about.

    Args:
        parts: The messages.
        read: Reads the header, and refuses what may not be.
        files: Takes the pictures.

    Raises:
        InvalidRequest: Parts are missing or out of order, or a picture cannot be taken.
    """
    wish: ReferencesWish | None = None
    async for part in parts:
        match part.WhichOneof("part"):
            case "header":
                if wish is not None:
                    raise _broken("the header comes once, before the pictures")
                wish = read(part.header)
            case "picture" if wish is not None:
                picture = part.picture
                await asyncio.to_thread(files.add, picture.content, name=picture.name)
            case "picture":
                raise _broken("a picture comes before the header")
            case _:
                raise _broken("a message says nothing: neither header nor picture")
    if wish is None:
        raise _broken("there is no header")
    return wish


def _broken(what: str) -> InvalidRequest:
    return invalid(
        "part", what, reason="UPLOAD_BROKEN", hint="send the header, then one picture a message"
    )
