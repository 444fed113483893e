# SPDX-License-Identifier: Apache-2.0
"""What of a server is there first: both ports, health, metrics, and a typed refusal of all calls.

In: settings. Out: addresses that were really taken, before anything slow begins, so that a taken
port is noticed at once and an orchestrator is told that the server starts.
"""

import asyncio

from tabard_server.callers.gate import Gate
from tabard_server.errors import BadSettings
from tabard_server.life.readiness import Readiness
from tabard_server.rpc.server import RpcServer
from tabard_server.settings import Settings
from tabard_server.telemetry.metrics import Metrics
from tabard_server.telemetry.metrics_page import MetricsPage


class Front:
    """Ports, and what is known before there is a base. Asyncio thread.

    Attributes:
        metrics: What everything else counts with.
        readiness: What the server does now; starting, to begin with.
        gate: What callers hold.
        rpc: The gRPC server; `App` brings its services.
        address: That of the gRPC port.
        metrics_address: That of the metrics page; empty: there is none.
    """

    def __init__(self, settings: Settings) -> None:
        """Construct it; nothing listens before `open`."""
        self._settings = settings
        self._page: MetricsPage | None = None
        self.metrics = Metrics(releases_max=settings.limits.metric_releases_max)
        self.readiness = Readiness(
            metrics=self.metrics, retry_seconds=settings.limits.retry_seconds
        )
        self.gate = Gate(settings.limits)
        self.rpc = RpcServer(
            limits=settings.limits,
            readiness=self.readiness,
            gate=self.gate,
            count=self._count_failure,
        )
        self.address = self.metrics_address = ""

    async def open(self) -> None:
        """Listen on both ports.

        Raises:
            BadSettings: An address cannot be had; nothing listens then.
        """
        self.address = await self.rpc.start(self._settings.listen)
        try:
            if self._settings.metrics_listen:
                listen = self._settings.metrics_listen
                self._page = MetricsPage(listen, registry=self.metrics.registry)
                self.metrics_address = self._page.address
        except BadSettings:
            await self.rpc.stop(grace_seconds=0.0)
            raise

    async def close(self) -> None:
        """Listen no longer. Idempotent."""
        await self.rpc.stop(grace_seconds=0.0)
        await self.close_page()

    async def close_page(self) -> None:
        """Take the metrics page away. Idempotent."""
        page, self._page = self._page, None
        if page is not None:
            await asyncio.to_thread(page.close)

    def _count_failure(self, reason: str) -> None:
        self.metrics.failures.labels(reason=reason).inc()
