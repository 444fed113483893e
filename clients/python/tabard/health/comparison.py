# SPDX-License-Identifier: Apache-2.0
"""A comparison under way: its cells are drawn side by side, and come as they are done.

In: a plan, and what draws one image. The sides of one prompt and seed are asked for together, so
that the server draws them in one batch; only so many are asked for at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import Any

from tabard.errors import Cancelled
from tabard.health.compared import ComparedImage, ComparisonCell, ComparisonPlan, ComparisonSide
from tabard.result import Collector, GenerateEvent, GenerateResult

OPEN_MAX = 12
"""Images asked for and not drawn: enough to fill a step, and few enough for one caller's share."""

Stream = Callable[..., Generator[GenerateEvent, None, None]]
AsyncStream = Callable[..., AsyncGenerator[GenerateEvent, None]]


class Waves:
    """The cells that are left, in the groups in which they are asked for."""

    def __init__(self, plan: ComparisonPlan) -> None:
        self.cells = list(plan.cells)
        self._is_begun = False

    def leave_out(self, cells: Collection[ComparisonCell]) -> None:
        """Ask for all but these."""
        if self._is_begun:
            raise ValueError("cells are left out before the first is drawn")
        left_out = frozenset(cells)
        self.cells = [cell for cell in self.cells if cell not in left_out]

    def take(self, *, open_count: int) -> list[ComparisonCell]:
        """Give what is asked for now, beside so many that are not drawn yet."""
        self._is_begun = True
        taken: list[ComparisonCell] = []
        while self.cells:
            _, group = next(groupby(self.cells, key=lambda cell: (cell.template, cell.seed)))
            together = list(group)[:OPEN_MAX]
            if open_count + len(taken) + len(together) > OPEN_MAX:
                break
            taken += together
            del self.cells[: len(together)]
        return taken

    def end(self) -> None:
        """Ask for nothing more."""
        self.cells = []


class Comparison(Iterator[ComparedImage]):
    """A comparison under way: iterate over its images as they come, or ask for its result.

    Nothing is asked for before the first is. Closing it ends what is under way, at the next step.

    Attributes:
        plan: Sides, prompts and seeds.
    """

    def __init__(self, plan: ComparisonPlan, *, stream: Stream) -> None:
        self.plan = plan
        self._stream = stream
        self._waves = Waves(plan)
        self._pool = ThreadPoolExecutor(OPEN_MAX, thread_name_prefix="tabard-compare")
        self._open: set[Future[ComparedImage]] = set()
        self._is_closed = threading.Event()

    @property
    def sides(self) -> tuple[ComparisonSide, ...]:
        """Releases and weights, as they are pinned."""
        return self.plan.sides

    @property
    def cells(self) -> tuple[ComparisonCell, ...]:
        """Everything that is compared, prompt by prompt, seed by seed, side by side."""
        return self.plan.cells

    def leave_out(self, cells: Collection[ComparisonCell]) -> None:
        """Draw all but these, which you have already.

        Raises:
            ValueError: The first is drawn already.
        """
        self._waves.leave_out(cells)

    def __next__(self) -> ComparedImage:
        for cell in self._waves.take(open_count=len(self._open)):
            self._open.add(self._pool.submit(self._draw, cell))
        try:
            found = wait(self._open, return_when=FIRST_COMPLETED).done
            # Another thread may have closed it meanwhile.
            if self._is_closed.is_set() or not found:
                raise StopIteration
            done = found.pop()
            self._open.remove(done)
            return done.result()
        except BaseException:
            self.close()
            raise

    def result(self) -> tuple[ComparedImage, ...]:
        """Draw what is left, and give it in the order of the cells. Raises as drawing does."""
        return _in_order(self.plan, list(self))

    def close(self) -> None:
        """End it. Idempotent."""
        self._is_closed.set()
        self._waves.end()
        self._open.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _draw(self, cell: ComparisonCell) -> ComparedImage:
        collector = Collector()
        with contextlib.closing(self._stream(**_request(cell, self.plan))) as events:
            for event in events:
                if self._is_closed.is_set():
                    raise Cancelled("the comparison was ended", reason="COMPARISON_ENDED")
                collector.feed(event)
        return _compared(cell, collector.result())


class AsyncComparison(AsyncIterator[ComparedImage]):
    """The same for asyncio; closing it ends what is under way at once."""

    def __init__(self, plan: ComparisonPlan, *, stream: AsyncStream) -> None:
        self.plan = plan
        self._stream = stream
        self._waves = Waves(plan)
        self._open: set[asyncio.Task[ComparedImage]] = set()

    @property
    def sides(self) -> tuple[ComparisonSide, ...]:
        """Releases and weights, as they are pinned."""
        return self.plan.sides

    @property
    def cells(self) -> tuple[ComparisonCell, ...]:
        """Everything that is compared, prompt by prompt, seed by seed, side by side."""
        return self.plan.cells

    def leave_out(self, cells: Collection[ComparisonCell]) -> None:
        """Draw all but these, which you have already.

        Raises:
            ValueError: The first is drawn already.
        """
        self._waves.leave_out(cells)

    async def __anext__(self) -> ComparedImage:
        for cell in self._waves.take(open_count=len(self._open)):
            self._open.add(asyncio.create_task(self._draw(cell)))
        if not self._open:
            raise StopAsyncIteration
        try:
            found, _ = await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
            done = found.pop()
            self._open.remove(done)
            return done.result()
        except BaseException:
            await self.close()
            raise

    async def result(self) -> tuple[ComparedImage, ...]:
        """Draw what is left, and give it in the order of the cells. Raises as drawing does."""
        return _in_order(self.plan, [one async for one in self])

    async def close(self) -> None:
        """End it. Idempotent."""
        self._waves.end()
        tasks, self._open = self._open, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _draw(self, cell: ComparisonCell) -> ComparedImage:
        collector = Collector()
        async with contextlib.aclosing(self._stream(**_request(cell, self.plan))) as events:
            async for event in events:
                collector.feed(event)
        return _compared(cell, collector.result())


def _request(cell: ComparisonCell, plan: ComparisonPlan) -> dict[str, Any]:
    return {
        **plan.options,
        "prompt": cell.prompt,
        "adapters": cell.side.stack,
        "seed": cell.seed,
        "num_images": 1,
    }


def _compared(cell: ComparisonCell, result: GenerateResult) -> ComparedImage:
    return ComparedImage(cell=cell, image=result.images[0], worn=result.worn)


def _in_order(plan: ComparisonPlan, images: list[ComparedImage]) -> tuple[ComparedImage, ...]:
    places = {cell: place for place, cell in enumerate(plan.cells)}
    return tuple(sorted(images, key=lambda one: places[one.cell]))
