# SPDX-License-Identifier: Apache-2.0
"""Verbs that are made of other verbs, for both clients: replay, compare, and jobs by handle.

In: a builder of `tabard.calls`. Out: a method that asks its client's own verbs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from tabard import calls
from tabard.calls.call import Call, Caller
from tabard.calls.method import shown_as, typed

if TYPE_CHECKING:
    from tabard.calls.health.compare import Wish
    from tabard.calls.replay import Remake
    from tabard.health.comparison import AsyncComparison, Comparison
    from tabard.jobs.handles import AsyncJob, Job
    from tabard.jobs.replay import Replay
    from tabard.result import GenerateEvent

P = ParamSpec("P")


def replaying(
    build: Callable[Concatenate[Caller, P], Remake],
) -> Callable[Concatenate[Any, P], Replay]:
    """Make the method that draws an image again."""
    ask = typed(build)

    @shown_as(build, owner="Client", returns="Replay")
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Replay:
        made = ask(self._caller, *args, **kwargs)
        try:
            result = self.generate(made.prompt, **made.options)
        except calls.replay.REFUSALS as refusal:
            return calls.replay.not_drawn(made, refusal, status=self.status())
        return calls.replay.judge(made, result.images[0])

    return method


def replaying_async(
    build: Callable[Concatenate[Caller, P], Remake],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, Replay]]:
    """Make the same for asyncio."""
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="Replay")
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Replay:
        # In threads, because pictures are read and compared there.
        made = await asyncio.to_thread(ask, self._caller, *args, **kwargs)
        try:
            result = await self.generate(made.prompt, **made.options)
        except calls.replay.REFUSALS as refusal:
            return calls.replay.not_drawn(made, refusal, status=await self.status())
        return await asyncio.to_thread(calls.replay.judge, made, result.images[0])

    return method


def comparing(
    build: Callable[Concatenate[Caller, P], Wish],
) -> Callable[Concatenate[Any, P], Comparison]:
    """Make the method that draws releases side by side."""
    ask = typed(build)

    @shown_as(build, owner="Client", returns="Comparison")
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Comparison:
        wish = ask(self._caller, *args, **kwargs)
        releases = [self.resolve(ref) for ref in wish.refs]
        if wish.grid:
            found = self.grid(wish.grid, place=releases[0].adapter)
            wish = wish.along(calls.health.grid_drawing.grid_drawing(found.document))
        return wish.drawn_by(self.stream, releases=releases)

    return method


def comparing_async(
    build: Callable[Concatenate[Caller, P], Wish],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncComparison]]:
    """Make the same for asyncio."""
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="AsyncComparison")
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncComparison:
        wish = ask(self._caller, *args, **kwargs)
        releases = [await self.resolve(ref) for ref in wish.refs]
        if wish.grid:
            found = await self.grid(wish.grid, place=releases[0].adapter)
            wish = wish.along(calls.health.grid_drawing.grid_drawing(found.document))
        return wish.drawn_by_async(self.stream, releases=releases)

    return method


def starting(
    build: Callable[Concatenate[Caller, P], Call[GenerateEvent]],
) -> Callable[Concatenate[Any, P], Job]:
    """Make the method that begins a detached job."""
    ask = typed(build)

    @shown_as(build, owner="Client", returns="Job")
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        events = list(self._receive(ask(self._caller, *args, **kwargs)))
        return calls.jobs.beginning.handle(self, calls.jobs.beginning.accepted_id(events))

    return method


def starting_async(
    build: Callable[Concatenate[Caller, P], Call[GenerateEvent]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncJob]]:
    """Make the same for asyncio."""
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="AsyncJob")
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncJob:
        # In a thread, because pictures are read there.
        call = await asyncio.to_thread(ask, self._caller, *args, **kwargs)
        events = [event async for event in self._receive(call)]
        return calls.jobs.beginning.handle_async(self, calls.jobs.beginning.accepted_id(events))

    return method


def handling(build: Callable[Concatenate[Caller, P], str]) -> Callable[Concatenate[Any, P], Job]:
    """Make the method that gives the handle of a job."""
    ask = typed(build)

    @shown_as(build, owner="Client", returns="Job")
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        return calls.jobs.beginning.handle(self, ask(self._caller, *args, **kwargs))

    return method


def handling_async(
    build: Callable[Concatenate[Caller, P], str],
) -> Callable[Concatenate[Any, P], AsyncJob]:
    """Make the same for asyncio; nothing is waited for."""
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="AsyncJob")
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncJob:
        return calls.jobs.beginning.handle_async(self, ask(self._caller, *args, **kwargs))

    return method
