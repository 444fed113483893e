# SPDX-License-Identifier: Apache-2.0
"""Messages of Publish or Check on their way in: a draft, then per file its start and its chunks."""

from collections.abc import AsyncIterator

from tabard.v1 import registry_service_pb2 as pb
from tabard_server.publishing.uploads import Upload, broken

Part = pb.PublishRequest | pb.CheckRequest


async def receive(parts: AsyncIterator[Part], *, upload: Upload) -> pb.ReleaseDraft:
    """Read a stream to its end; return the draft, empty when there was none.

    Raises:
        InvalidRequest: Parts are missing or out of order, or the upload is too large.
    """
    draft: pb.ReleaseDraft | None = None
    async for part in parts:
        match part.WhichOneof("part"):
            case "draft":
                if draft is not None or upload.files:
                    raise broken("the draft comes once, before the files")
                draft = part.draft
            case "file":
                upload.begin_file(part.file.name, bytes_total=part.file.bytes_total)
            case "chunk":
                await upload.write(part.chunk)
            case _:
                raise broken("a message has neither draft, file nor chunk")
    upload.end()
    return draft or pb.ReleaseDraft()
