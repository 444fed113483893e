# SPDX-License-Identifier: Apache-2.0
"""`/api/operate`: how the server behind the gateway stands, open canaries, and other servers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tabard import AsyncClient, PermissionDenied, Unavailable, Unimplemented
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


class Servers(BaseModel):
    """The servers of the registry.

    Attributes:
        replicas: What each told of itself last, the latest first.
        replica_id: Which of them the gateway asks.
        registry_seq: Log position that this one has seen.
        failure: Why there are none to see.
    """

    replicas: list[dict[str, Any]]
    replica_id: str = ""
    registry_seq: int = 0
    failure: PageError | None = None


class OperateDoor:
    """Tells how things stand."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The path."""
        router = APIRouter(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/operate", self.operate, methods=["GET"])
        router.add_api_route("/operate/replicas", self.replicas, methods=["GET"])
        return router

    async def operate(self, request: Request) -> Operation:
        """Tell how the server stands: residents, queue, steps, registry, canaries."""
        async with self._visitors.client(request) as client:
            status = await client.status()
            canaries, failure = await _canaries(client)
        return Operation(status=asdict(status), canaries=canaries, canaries_failure=failure)

    async def replicas(self, request: Request) -> Servers:
        """Tell which servers the registry has."""
        async with self._visitors.client(request) as client:
            try:
                found = await client.replicas()
            except (PermissionDenied, Unimplemented, Unavailable) as error:
                return Servers(replicas=[], failure=PageError(**page_failure(error)["error"]))
        return Servers(**asdict(found))


async def _canaries(client: AsyncClient) -> tuple[list[dict[str, Any]], PageError | None]:
    try:
        return [asdict(one) for one in await client.canaries()], None
    except (PermissionDenied, Unimplemented) as error:
        return [], PageError(**page_failure(error)["error"])
