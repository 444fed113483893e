# SPDX-License-Identifier: Apache-2.0
"""Whether the gateway runs, and whether its server takes jobs: for those who supervise."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from tabard import PermissionDenied, Unauthenticated, Unavailable
from tabard_web.upstream import Upstream

TAKING_JOBS = ("serving", "degraded")


class Health(BaseModel):
    """What there is to say.

    Attributes:
        status: `ok`.
    """

    status: str = "ok"


class HealthDoor:
    """`/healthz` and `/readyz`."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = APIRouter(tags=["health"])
        router.add_api_route("/healthz", self.healthz, methods=["GET"])
        router.add_api_route("/readyz", self.readyz, methods=["GET"])
        return router

    async def healthz(self) -> Health:
        """Say that the gateway runs, whatever the server does."""
        return Health()

    async def readyz(self) -> Health:
        """Say whether the server takes jobs; 503 where it does not, or is not there."""
        async with self._upstream.client("") as client:
            try:
                state = (await client.status()).state
            except (Unauthenticated, PermissionDenied):
                # It is there, and tells strangers no more.
                return Health()
        if state not in TAKING_JOBS:
            raise Unavailable(
                f"the server is {state}",
                reason="SERVER_NOT_READY",
                hint="wait, or ask another one",
                retry_after_seconds=1.0,
            )
        return Health()
