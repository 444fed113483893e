# SPDX-License-Identifier: Apache-2.0
"""Messages of Publish or Check on their way in: a draft, or options; then files, in chunks."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from tabard.v1 import registry_service_pb2 as pb
from tabard_server.publishing.uploads import Upload, broken

Part = pb.PublishRequest | pb.CheckRequest
Said = TypeVar("Said", pb.ReleaseDraft, pb.CheckOptions)


async def receive(parts: AsyncIterator[Part], *, upload: Upload, silence: Said) -> Said:
    """Read a stream to its end; return what its author says, and `silence` when that is nothing.

    Raises:
        InvalidRequest: Parts are missing or out of order, or the upload is too large.
    """
    said: Any = None
    async for part in parts:
        match part.WhichOneof("part"):
            case "draft" | "options" as what:
                if said is not None or upload.files:
                    raise broken(f"{what} comes once, before the files")
                said = getattr(part, what)
            case "file":
                upload.begin_file(part.file.name, bytes_total=part.file.bytes_total)
            case "chunk":
                await upload.write(part.chunk)
            case _:
                raise broken("a message says nothing: no file, no chunk, nothing about them")
    upload.end()
    return said or silence
