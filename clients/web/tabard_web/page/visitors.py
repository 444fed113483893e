# SPDX-License-Identifier: Apache-2.0
"""Who looks at the page: a request's cookie becomes a client of the server, for its length.

In: a request of the page. Out: an `AsyncClient` with the token of its session, or with none. Who
forges a request from elsewhere gets neither.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Header, Request
from starlette.responses import Response

from tabard import AsyncClient, PermissionDenied, Unauthenticated
from tabard_web.page.sessions import Sessions
from tabard_web.upstream import NOBODY, Upstream

OwnPage = Annotated[Literal["1"], Header(alias="x-tabard-page")]
"""The header that no form and no picture of another site can send."""


class Visitors:
    """Knows visitors by their cookies."""

    def __init__(self, upstream: Upstream, sessions: Sessions) -> None:
        self._upstream = upstream
        self._sessions = sessions

    @contextlib.asynccontextmanager
    async def client(self, request: Request, *, actor: str = "") -> AsyncIterator[AsyncClient]:
        """Give the client of a visitor for the length of a block; `actor` is what they say.

        Raises:
            Unauthenticated: The server knows the token of the session no more; the session ends.
            PermissionDenied: Another page asks.
        """
        token = self.token(request)
        try:
            async with self._upstream.client(token, actor=actor or NOBODY) as client:
                yield client
        except Unauthenticated as error:
            self.refuse(request, error)
            raise

    @contextlib.asynccontextmanager
    async def client_of(self, token: str) -> AsyncIterator[AsyncClient]:
        """Give the client of a token, whoever has it."""
        async with self._upstream.client(token) as client:
            yield client

    def token(self, request: Request) -> str:
        """Give the token of a visitor; empty: nobody says who they are.

        Raises:
            Unauthenticated: The server knows it no more.
            PermissionDenied: Another page asks.
        """
        require_own_page(request)
        session = self._sessions.find(self._secret(request))
        return session.token if session else ""

    def is_known(self, request: Request) -> bool:
        """Say whether there is a session."""
        return self._sessions.find(self._secret(request)) is not None

    def has_left(self, request: Request, token: str) -> bool:
        """Say whether the session that gave a token has ended; where there was none, none has."""
        return bool(token) and not self._sessions.is_known(self._secret(request))

    def refuse(self, request: Request, why: Unauthenticated) -> None:
        """Note that the server refuses the token of a visitor."""
        self._sessions.refuse(self._secret(request), why)

    def welcome(self, request: Request, token: str, response: Response) -> None:
        """Begin a session, and have the browser keep its secret."""
        self._sessions.end(self._secret(request))
        response.set_cookie(
            _cookie(request),
            self._sessions.begin(token),
            path="/",
            httponly=True,
            samesite="strict",
            secure=_is_over_tls(request),
        )

    def part(self, request: Request, response: Response) -> None:
        """End the session."""
        self._sessions.end(self._secret(request))
        response.delete_cookie(
            _cookie(request),
            path="/",
            httponly=True,
            samesite="strict",
            secure=_is_over_tls(request),
        )

    def _secret(self, request: Request) -> str:
        return request.cookies.get(_cookie(request), "")


def require_own_page(request: Request) -> None:
    """Refuse what a browser says was asked by another page, also one of the same site.

    Raises:
        PermissionDenied: It was.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise PermissionDenied(
            "this request was made by another page",
            reason="ORIGIN_REFUSED",
            hint="open the gateway's own page",
        )


def _is_over_tls(request: Request) -> bool:
    """Say whether the browser came by TLS, as it says of itself: a proxy may have ended that."""
    return _origin(request).startswith("https:")


def _origin(request: Request) -> str:
    return request.headers.get("origin", "").lower()


def _cookie(request: Request) -> str:
    """Name the cookie: browsers share cookies among all ports of a name."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"tabard-{port}" if port.isascii() and port.isdigit() else "tabard"
