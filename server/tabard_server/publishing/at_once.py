# SPDX-License-Identifier: Apache-2.0
"""So many of one kind at once; whoever comes beyond is told to come back. Asyncio thread."""

from collections.abc import Iterator
from contextlib import contextmanager

from tabard_server.errors import Overloaded
from tabard_server.limits import Limits


class AtOnce:
    """Counts what runs, against one limit."""

    def __init__(self, what: str, *, limit: str, reason: str, limits: Limits) -> None:
        """Take what runs, in the plural, the name of its limit, and the reason of the refusal."""
        self._what = what
        self._limit = limit
        self._reason = reason
        self._limits = limits
        self._running = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one more inside the block.

        Raises:
            Overloaded: As many run as may.
        """
        if self._running >= getattr(self._limits, self._limit):
            raise Overloaded(
                f"{self._running} {self._what} run already",
                reason=self._reason,
                hint=f"retry after a moment (limits.{self._limit})",
                retry_seconds=self._limits.retry_seconds,
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
