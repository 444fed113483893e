# SPDX-License-Identifier: Apache-2.0
"""Files of a release on their way out: as they were published, or in another format.

In: a ref and a format. Out: the release, then each file with its digest and its bytes in bounded
chunks. What has to be written first is written into a folder of its own, in a worker thread.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterRef, Registry
from tabard_registry.export.export import ExportedFile, export_release
from tabard_server.errors import Overloaded, invalid
from tabard_server.limits import MEBIBYTE, Limits
from tabard_server.rpc.registry import messages

Context = grpc.aio.ServicerContext[Any, Any]

_CHUNK_BYTES = MEBIBYTE
_STYLES: Mapping[int, str] = {
    pb.FILE_FORMAT_UNSPECIFIED: "original",
    pb.FILE_FORMAT_ORIGINAL: "original",
    pb.FILE_FORMAT_CANONICAL: "canonical",
    pb.FILE_FORMAT_KOHYA: "kohya",
    pb.FILE_FORMAT_DIFFUSERS: "diffusers",
}


class Fetching:
    """Answers Fetch. Asyncio thread."""

    def __init__(self, registry: Registry, *, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits
        self._running = 0

    async def fetch(self, request: pb.FetchRequest, context: Context) -> None:
        """Send the files of a release.

        Raises:
            Overloaded: Too many fetch already.
            InvalidRequest: There is no such format.
            RegistryError: There is no such release, or the format cannot hold it.
        """
        style = _STYLES.get(request.format)
        if style is None:
            raise invalid(
                "format",
                f"unknown file format {request.format}",
                reason="FIELD_INVALID",
                hint="ask for ORIGINAL, CANONICAL, KOHYA or DIFFUSERS",
            )
        if self._running >= self._limits.fetches_max:
            raise Overloaded(
                f"{self._running} downloads run already",
                reason="FETCHES_BUSY",
                hint="retry after a moment (limits.fetches_max)",
                retry_seconds=self._limits.retry_seconds,
            )
        self._running += 1
        try:
            await self._send(request.ref, style=style, context=context)
        finally:
            self._running -= 1

    async def _send(self, ref: str, *, style: str, context: Context) -> None:
        state = self._registry.state
        release = state.find(AdapterRef.parse(ref))
        with tempfile.TemporaryDirectory(prefix="tabard-fetch-") as folder:
            files = await asyncio.to_thread(
                export_release, self._registry, release, style=style, folder=Path(folder)
            )
            said = messages.write_release(release, state=state)
            await context.write(pb.FetchResponse(release=said))
            for file in files:
                await _send_file(file, context=context)


async def _send_file(file: ExportedFile, *, context: Context) -> None:
    start = pb.FetchedFile(name=file.name, bytes_total=file.size_bytes, digest=str(file.digest))
    await context.write(pb.FetchResponse(file=start))
    with file.path.open("rb") as stream:
        while chunk := await asyncio.to_thread(_read, stream):
            await context.write(pb.FetchResponse(chunk=chunk))


def _read(stream: BinaryIO) -> bytes:
    return stream.read(_CHUNK_BYTES)
