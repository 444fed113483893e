# SPDX-License-Identifier: Apache-2.0
"""Files of a release on their way out: as they were published, or in another format.

What has to be written first is written into a folder of its own, in a worker thread.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tabard_registry import AdapterRef, Registry, Release, State
from tabard_registry.export.export import ExportedFile, export_release
from tabard_registry.identity.roles import Grants
from tabard_registry.scratch import Scratch
from tabard_registry.state.sight import seen_by
from tabard_server.limits import MEBIBYTE

_CHUNK_BYTES = MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A release and its files, as long as the download lasts.

    Attributes:
        release: The release.
        state: The snapshot that it was found in.
        files: Its files, in order.
    """

    release: Release
    state: State
    files: tuple[ExportedFile, ...]


class Downloads:
    """Gives out the files of releases. Asyncio thread."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @asynccontextmanager
    async def one(self, ref: str, *, style: str, grants: Grants) -> AsyncIterator[Download]:
        """Find a release and write its files in a style; they are gone after the block.

        `grants` are those of who asks.

        Raises:
            RegistryError: There is no such release, it was purged, or the format cannot hold it.
        """
        with Scratch("download") as scratch:
            state = seen_by(self._registry.state, grants)
            release = state.find_kept(AdapterRef.parse(ref))
            files = await asyncio.to_thread(
                export_release, self._registry, release, style=style, folder=scratch.path
            )
            yield Download(release=release, state=state, files=tuple(files))


async def chunks_of(file: ExportedFile) -> AsyncIterator[bytes]:
    """Yield the bytes of a file in bounded chunks, read in worker threads."""
    with file.path.open("rb") as stream:
        while chunk := await asyncio.to_thread(partial(stream.read, _CHUNK_BYTES)):
            yield chunk
