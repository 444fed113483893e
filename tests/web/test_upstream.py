# SPDX-License-Identifier: Apache-2.0
"""One client for each token, closed when it is of no use any more."""

import asyncio
from dataclasses import dataclass

from tabard import AsyncClient
from tabard_web.upstream import Upstream


@dataclass
class FakeClient:
    """Notes that it was closed."""

    token: str
    actor: str
    is_closed: bool = False

    async def close(self) -> None:
        self.is_closed = True


class Made:
    """Clients in the order in which they were made."""

    def __init__(self) -> None:
        self.clients: list[FakeClient] = []

    def connect(self, token: str, actor: str) -> AsyncClient:
        self.clients.append(FakeClient(token, actor))
        return self.clients[-1]  # type: ignore[return-value]

    @property
    def open(self) -> list[str]:
        return [one.token for one in self.clients if not one.is_closed]


def test_a_client_serves_its_token_again() -> None:
    """A second request with the same token finds the connection of the first."""
    made = Made()

    async def walk() -> None:
        upstream = Upstream(made.connect, kept_max=2)
        for token in ("ann", "bob", "ann"):
            async with upstream.client(token) as client:
                assert client.token == token  # type: ignore[attr-defined]

    asyncio.run(walk())

    assert made.open == ["ann", "bob"]


def test_longest_unused_client_is_closed() -> None:
    """Those that somebody uses are not counted, and not closed."""
    made = Made()

    async def walk() -> list[str]:
        upstream = Upstream(made.connect, kept_max=1)
        async with upstream.client("used"):
            for token in ("ann", "bob", "eve"):
                async with upstream.client(token):
                    pass
            return made.open

    assert asyncio.run(walk()) == ["used", "eve"]


def test_closing_closes_all() -> None:
    """Nothing is left open behind a gateway that ends."""
    made = Made()

    async def walk() -> None:
        upstream = Upstream(made.connect, kept_max=3)
        for token in ("ann", "bob"):
            async with upstream.client(token):
                pass
        await upstream.close()

    asyncio.run(walk())

    assert made.open == []


def test_actors_have_clients_of_their_own() -> None:
    """What one says of themselves is not said by another with the same token."""
    made = Made()

    async def walk() -> list[str]:
        upstream = Upstream(made.connect, kept_max=3)
        for actor in ("ann", "bob", "ann"):
            async with upstream.client("", actor=actor) as client:
                assert client.actor == actor  # type: ignore[attr-defined]
        async with upstream.client("") as client:
            return [one.actor for one in made.clients]

    assert asyncio.run(walk()) == ["ann", "bob", "gateway"]
