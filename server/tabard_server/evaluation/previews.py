# SPDX-License-Identifier: Apache-2.0
"""Draws a few pictures of a release that was just published, and keeps them beside it.

In: a release, and who published it. Out: a document in the registry, some time later. Nobody waits
for it: it is drawn behind everybody else, and what goes wrong is told in the log.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from tabard_registry import Author, Registry, Release
from tabard_registry.errors import RegistryError
from tabard_registry.evidence.documents import Previews, to_bytes
from tabard_registry.evidence.report import Picture as Shown
from tabard_registry.evidence.report import Subject
from tabard_registry.refs.digest import sha256_bytes
from tabard_server.engine_port.errors import EngineError
from tabard_server.errors import ServerError
from tabard_server.evaluation.cells import Cell, Side
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.pinning import Pinning, Previewing
from tabard_server.jobs.waiting_room import QUEUE_FULL
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Threads

_WAITING_MAX = 64
"""Releases that are shown at once; whoever publishes more in a row shows the others later."""


class PreviewRoom:
    """Shows releases, for one server. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        pinning: Pinning,
        drawer: Drawer,
        threads: Threads,
        is_for_all: bool,
    ) -> None:
        """Take the rooms along the way; `is_for_all` shows releases that nobody asked it for."""
        self._registry = registry
        self._pinning = pinning
        self._drawer = drawer
        self._threads = threads
        self._is_for_all = is_for_all
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, release: Release, *, asker: Asker, author: Author, is_wanted: bool) -> None:
        """Begin to draw what shows a release, unless it is shown already.

        Args:
            release: The release, as it was published.
            asker: For whom it is drawn.
            author: Who published it.
            is_wanted: Whether they asked for it.
        """
        digest = str(release.digest)
        if not (is_wanted or self._is_for_all) or release.health.newest("previews"):
            return
        if digest in self._tasks:
            return
        if len(self._tasks) >= _WAITING_MAX:
            log_problem("previews.not_drawn", release=str(release), reason=QUEUE_FULL)
            return
        task = asyncio.create_task(self._show(release, asker=asker, author=author))
        self._tasks[digest] = task
        task.add_done_callback(lambda _done: self._tasks.pop(digest, None))

    def close(self) -> None:
        """Draw nothing more. Publishing with previews again goes on. Idempotent."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _show(self, release: Release, *, asker: Asker, author: Author) -> None:
        # The key of the publication stands for that act, and not for this one.
        author = replace(author, request_id="")
        try:
            what = await self._threads.run(
                self._pinning.pin_previews, release, asker=asker, author=author
            )
            shown = await self._draw(what, asker=asker)
            await self._threads.run(self._keep, what, shown, author)
        except (ServerError, RegistryError, EngineError) as error:
            log_problem("previews.not_drawn", release=str(release), reason=error.reason)
        except Exception as error:
            log_problem("previews.not_drawn", release=str(release), error=error)

    async def _draw(self, what: Previewing, *, asker: Asker) -> dict[int, bytes]:
        shown: dict[int, bytes] = {}

        async def take(cell: Cell, pictures: Mapping[Side, Picture]) -> None:
            png = pictures[Side.CANDIDATE].png
            if png is not None:
                shown[cell.prompt] = png

        await self._drawer.draw(what.cells, asker=asker, on_cell=take)
        return shown

    def _keep(self, what: Previewing, shown: Mapping[int, bytes], author: Author) -> None:
        if not shown:
            log_problem("previews.not_drawn", release=str(what.release), reason="ROW_NOT_FINITE")
            return
        release, grid, seed = what.release, to_bytes(what.grid), what.grid.seeds[0]
        document = Previews(
            release=Subject(
                adapter=release.adapter,
                version=release.version,
                digest=release.digest,
                kind=release.kind,
                purpose=release.purpose,
            ),
            cells=tuple(
                Shown(image=sha256_bytes(png), prompt=prompt, seed=seed)
                for prompt, png in sorted(shown.items())
            ),
            grid=sha256_bytes(grid),
        )
        self._registry.evidence.put(document, author=author, blobs=[*shown.values(), grid])
        log_event("previews.drawn", release=str(release), images=len(shown))
