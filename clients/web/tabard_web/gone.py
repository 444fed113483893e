# SPDX-License-Identifier: Apache-2.0
"""What is done for a caller ends when the caller goes away: a closed connection draws nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from tabard import Cancelled

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Give what work comes to; it is cancelled when the connection of its request ends.

    The body must have been read.

    Raises:
        Cancelled: The caller is gone, and nobody reads this.
    """
    done = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise Cancelled("the caller went away", reason="CALLER_GONE")
        return done.result()
    finally:
        done.cancel()
        gone.cancel()
        await asyncio.gather(done, gone, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
