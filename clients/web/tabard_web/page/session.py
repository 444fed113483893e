# SPDX-License-Identifier: Apache-2.0
"""`/api/session`: who looks at the page, and how they say so: a token, once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tabard import FailedPrecondition, Identity
from tabard_web.front.said_once import door
from tabard_web.page.errors import FAILURES
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.texts import Text

_TOKEN_CHARS_MAX = 16_384


class SignIn(BaseModel):
    """Somebody says who they are.

    Attributes:
        token: A token that the server knows.
    """

    model_config = ConfigDict(extra="forbid")

    token: Annotated[Text, Field(min_length=1, max_length=_TOKEN_CHARS_MAX)] = Field(repr=False)


class Visitor(BaseModel):
    """Who looks at the page.

    Attributes:
        name: Who they are; empty: nobody is asked.
        tenant: Whose share of the server they use.
        grants: Their roles by namespace.
        is_asked: Whether the server asks who one is.
        has_session: Whether there is a session, which can be ended.
        expires_at: When their token ends, as RFC 3339; empty: not by itself.
    """

    name: str
    tenant: str
    grants: dict[str, tuple[str, ...]]
    is_asked: bool
    has_session: bool
    expires_at: str


class SessionDoor:
    """Begins and ends sessions."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/session", self.look, methods=["GET"])
        router.add_api_route("/session", self.begin, methods=["POST"])
        router.add_api_route("/session", self.end, methods=["DELETE"], status_code=204)
        return router

    async def look(self, request: Request) -> Visitor:
        """Tell who looks at the page; 401: the server wants to know."""
        async with self._visitors.client(request) as client:
            return _visitor(await client.whoami(), has_session=self._visitors.is_known(request))

    async def begin(
        self, asked: SignIn, request: Request, response: Response, page: OwnPage
    ) -> Visitor:
        """Begin a session with a token, which the server is asked about."""
        del page
        require_own_page(request)
        token = asked.token.strip()
        async with self._visitors.client_of(token) as client:
            identity = await client.whoami()
        if not identity.proof:
            raise FailedPrecondition(
                "this server asks nobody who they are",
                reason="IDENTITY_NOT_ASKED",
                hint="use the page as it is",
            )
        self._visitors.welcome(request, token, response)
        return _visitor(identity, has_session=True)

    async def end(self, request: Request, response: Response, page: OwnPage) -> None:
        """End the session."""
        del page
        require_own_page(request)
        self._visitors.part(request, response)


def _visitor(identity: Identity, *, has_session: bool) -> Visitor:
    return Visitor(
        name=identity.name,
        tenant=identity.tenant,
        grants={place: tuple(roles) for place, roles in identity.grants.items()},
        is_asked=bool(identity.proof),
        has_session=has_session,
        expires_at=identity.expires_at,
    )
