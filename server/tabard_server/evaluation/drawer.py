# SPDX-License-Identifier: Apache-2.0
"""Draws cells behind everybody else: all sides of a cell at once, so that they share batches.

In: cells. Out: their pictures, as they are done. What was drawn before is taken from the cache;
what is drawn is kept there at once, so that whoever is cut off goes on where they were.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from tabard_registry.identity.identity import Identity
from tabard_registry.refs.digest import Digest
from tabard_server.callers.caller import Caller
from tabard_server.engine_port.errors import RowNotFinite
from tabard_server.errors import Overloaded
from tabard_server.evaluation.cells import Cell, Side, WantedPicture
from tabard_server.evaluation.picture_cache import PictureCache
from tabard_server.jobs.job import Event, ImageReady, JobSpec
from tabard_server.scheduler.claims import Priority
from tabard_server.threads import Threads

Generate = Callable[[JobSpec], AsyncGenerator[Event, None]]
_SIDES = len(Side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a cell.

    Attributes:
        png: The file; None: its latents became NaN or infinite, and there is no picture.
        was_kept: Whether it was drawn before.
    """

    png: bytes | None
    was_kept: bool = False


OnCell = Callable[[Cell, Mapping[Side, Picture]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """For whom pictures are drawn.

    Attributes:
        caller: Whose seats and share they take.
        identity: Who asks, and what they may wear.
        priority: How they are drawn behind everybody else.
    """

    caller: Caller
    identity: Identity
    priority: Priority = Priority.BACKGROUND


class Drawer:
    """Draws for all evaluations of a server together. Asyncio thread."""

    def __init__(
        self,
        generate: Generate,
        *,
        cache: PictureCache,
        threads: Threads,
        rows_max: int,
        retry_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take what draws, and how much of it may be asked for at once.

        Args:
            generate: The walk of a request.
            cache: Keeps what was drawn.
            threads: Where it reads and writes.
            rows_max: Pictures that are asked for and not drawn, of all evaluations; a cell is
                asked for whole, so this bounds the batch that a caller may have to wait for.
            retry_seconds: How long to wait where a full server does not say.
            sleep: Waits.
        """
        self._generate = generate
        self._cache = cache
        self._threads = threads
        self._at_once = max(1, rows_max // _SIDES)
        self._places = asyncio.Semaphore(self._at_once)
        self._retry_seconds = retry_seconds
        self._sleep = sleep

    async def draw(self, cells: Sequence[Cell], *, asker: Asker, on_cell: OnCell) -> None:
        """Draw cells; tell of each when all of its pictures are there, one after another.

        Raises:
            ServerError, RegistryError, EngineError: A picture was refused, or could not be drawn.
        """
        waiting, telling = iter(cells), asyncio.Lock()

        async def work() -> None:
            for cell in waiting:
                async with self._places:
                    pictures = await self._draw_cell(cell, asker=asker)
                async with telling:
                    await on_cell(cell, pictures)

        await _together([work() for _ in range(self._at_once)])

    def forget(self, release: Digest) -> None:
        """Keep nothing any more that a release drew. Idempotent."""
        self._cache.forget(release)

    async def _draw_cell(self, cell: Cell, *, asker: Asker) -> dict[Side, Picture]:
        sides = list(cell.pictures)
        wanted = {one.key: one for one in cell.pictures.values()}
        kept = await self._threads.run(lambda: {key: self._cache.get(key) for key in wanted})
        missing = [one for key, one in wanted.items() if kept[key] is None]
        # They are asked for in one breath: none of them waits at a step that the others take.
        drawn = await _together([self._draw_picture(one, asker=asker) for one in missing])
        fresh = {one.key: png for one, png in zip(missing, drawn, strict=True)}
        keys = [cell.pictures[side].key for side in sides]
        return {
            side: Picture(png=fresh[key]) if key in fresh else Picture(png=kept[key], was_kept=True)
            for side, key in zip(sides, keys, strict=True)
        }

    async def _draw_picture(self, picture: WantedPicture, *, asker: Asker) -> bytes | None:
        while True:
            try:
                png = await self._ask(picture, asker=asker)
                break
            except RowNotFinite:
                return None
            except Overloaded as busy:
                # Who draws in the background waits for room; whoever asked may leave meanwhile.
                await self._sleep(busy.retry_seconds or self._retry_seconds)
        await self._threads.run(self._cache.put, picture.key, png)
        return png

    async def _ask(self, picture: WantedPicture, *, asker: Asker) -> bytes:
        spec = JobSpec(
            wanted=picture.wanted,
            adapters=picture.worn.stack,
            seed=picture.seed,
            images=1,
            caller=asker.caller,
            identity=asker.identity,
            priority=asker.priority,
            may_lack_words=picture.is_control,
        )
        png = b""
        async with aclosing(self._generate(spec)) as events:
            async for event in events:
                if isinstance(event, ImageReady):
                    png = event.content
        assert png, "a job ends with its image, or with an error"
        return png


async def _together(works: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do some things at once; the first that fails ends the others, and is what is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
