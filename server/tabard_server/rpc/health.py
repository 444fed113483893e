# SPDX-License-Identifier: Apache-2.0
"""gRPC's health service, read off the one state of the server.

In: the readiness. Out: SERVING exactly while new jobs are taken. A change waits for no watcher:
each is told the newest state once it reads.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from tabard_server.errors import ServiceUnknown
from tabard_server.life.readiness import Readiness

_Answer: Any = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Serves `grpc.health.v1.Health`: every service, and the server as a whole, say the same."""

    def __init__(self, readiness: Readiness, *, services: Sequence[str]) -> None:
        """Take what is read, and the full names of the services."""
        self._readiness = readiness
        self._services = ("", *services)

    async def Check(self, request: Any, context: Any) -> Any:
        """Say whether a service serves.

        Raises:
            ServiceUnknown: There is no such service here.
        """
        if request.service not in self._services:
            raise ServiceUnknown(
                f"there is no service {request.service!r} here",
                hint="ask without a name for the server as a whole",
            )
        return _Answer(status=self._status)

    async def List(self, request: Any, context: Any) -> Any:
        """Say of every service whether it serves."""
        statuses = {name: _Answer(status=self._status) for name in self._services}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Say it now, and again whenever it is another."""
        told = None
        while True:
            change = self._readiness.change
            is_known = request.service in self._services
            status = self._status if is_known else _Answer.SERVICE_UNKNOWN
            if status != told:
                yield _Answer(status=status)
                told = status
            await change.wait()

    @property
    def _status(self) -> Any:
        return _Answer.SERVING if self._readiness.state.takes_jobs else _Answer.NOT_SERVING
