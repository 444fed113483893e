# SPDX-License-Identifier: Apache-2.0
"""What another server of the same registry published a moment ago is not there only at first.

In: a question, and what reads the log on. Out: its answer. Knows nothing of logs.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tabard_registry.errors import NotFound

T = TypeVar("T")

ReadOn = Callable[[], Awaitable[bool]]
"""Reads what is new in the log, if it can be read; says whether there was anything."""


async def found(ask: Callable[[], Awaitable[T]], *, read_on: ReadOn) -> T:
    """Ask; where something is not there, read on, and ask again if there was news.

    Raises:
        NotFound: It is not there, as far as this server can know.
    """
    try:
        return await ask()
    except NotFound:
        if not await read_on():
            raise
    return await ask()
