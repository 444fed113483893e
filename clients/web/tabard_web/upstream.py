# SPDX-License-Identifier: Apache-2.0
"""The server behind the gateway: a client of the SDK for each token, kept while it is of use.

In: a token, and what its owner says of themselves. Out: an `AsyncClient` that shows both. No client
shows anything else.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from tabard import AsyncClient

Connect = Callable[[str, str], AsyncClient]
"""Makes the client of a token, and of an actor; the empty token is nobody's."""
NOBODY = "gateway"
"""The actor of whoever has not said a name: never somebody of the gateway's own machine."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    client: AsyncClient
    users: int = 0


class Upstream:
    """Clients by token. Those that nobody uses are closed, the longest unused first."""

    def __init__(self, connect: Connect, *, kept_max: int) -> None:
        """Take how a client is made, and how many are kept unused."""
        self._connect = connect
        self._kept_max = kept_max
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    @contextlib.asynccontextmanager
    async def client(self, token: str, *, actor: str = NOBODY) -> AsyncIterator[AsyncClient]:
        """Give the client of a token, and of an actor, for the length of a block.

        Raises:
            TabardError: The token cannot be one, or would be sent where others can read it.
        """
        who = token, actor
        kept = self._kept.get(who)
        if kept is None:
            kept = self._kept[who] = _Kept(client=self._connect(token, actor))
        kept.users += 1
        try:
            yield kept.client
        finally:
            kept.users -= 1
            self._kept.move_to_end(who)
            await self._close_unused()

    async def close(self) -> None:
        """Close every client; what they still do ends as cancelled."""
        while self._kept:
            _who, kept = self._kept.popitem()
            await kept.client.close()

    async def _close_unused(self) -> None:
        unused = [who for who, kept in self._kept.items() if not kept.users]
        for who in unused[: max(0, len(unused) - self._kept_max)]:
            await self._kept.pop(who).client.close()
