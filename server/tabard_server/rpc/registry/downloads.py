# SPDX-License-Identifier: Apache-2.0
"""Files of a release as messages: the release, then each file with its digest and its bytes."""

from tabard.v1 import registry_service_pb2 as pb
from tabard_server.errors import invalid
from tabard_server.publishing.downloads import Downloads, chunks_of
from tabard_server.rpc.names import name_of, names_of
from tabard_server.rpc.registry.messages import write_release
from tabard_server.rpc.status import Context

_FORMAT = pb.FileFormat.DESCRIPTOR
_USUAL = "original"


async def send_files(downloads: Downloads, request: pb.FetchRequest, *, context: Context) -> None:
    """Send the files of a release.

    Raises:
        InvalidRequest: There is no such format.
        RegistryError: As `Downloads.one`.
    """
    style = name_of(_FORMAT, request.format)
    if style is None:
        raise invalid(
            "format",
            f"unknown file format {request.format}",
            reason="FIELD_INVALID",
            hint=f"use one of: {', '.join(names_of(_FORMAT))}",
        )
    grants = context.identity.grants
    async with downloads.one(request.ref, style=style or _USUAL, grants=grants) as found:
        said = write_release(found.release, state=found.state)
        await context.write(pb.FetchResponse(release=said))
        for file in found.files:
            start = pb.FetchedFile(
                name=file.name, bytes_total=file.size_bytes, digest=str(file.digest)
            )
            await context.write(pb.FetchResponse(file=start))
            async for chunk in chunks_of(file):
                await context.write(pb.FetchResponse(chunk=chunk))
