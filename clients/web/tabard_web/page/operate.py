# SPDX-License-Identifier: Apache-2.0
"""`GET /api/operate`: how the server behind the gateway stands, and the canaries that are open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tabard import AsyncClient, PermissionDenied, Unimplemented
from tabard_web.page.errors import FAILURES, PageError, page_failure
from tabard_web.page.visitors import Visitors


class Operation(BaseModel):
    """What an operator sees.

    Attributes:
        status: What the server says of itself.
        canaries: Those that are open, as far as the visitor may see them.
        canaries_failure: Why there are none to see.
    """

    status: dict[str, Any]
    canaries: list[dict[str, Any]]
    canaries_failure: PageError | None


class OperateDoor:
    """Tells how things stand."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The path."""
        router = APIRouter(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/operate", self.operate, methods=["GET"])
        return router

    async def operate(self, request: Request) -> Operation:
        """Tell how the server stands: residents, queue, steps, registry, canaries."""
        async with self._visitors.client(request) as client:
            status = await client.status()
            canaries, failure = await _canaries(client)
        return Operation(status=asdict(status), canaries=canaries, canaries_failure=failure)


async def _canaries(client: AsyncClient) -> tuple[list[dict[str, Any]], PageError | None]:
    try:
        return [asdict(one) for one in await client.canaries()], None
    except (PermissionDenied, Unimplemented) as error:
        return [], PageError(**page_failure(error)["error"])
