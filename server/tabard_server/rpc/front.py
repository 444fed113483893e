# SPDX-License-Identifier: Apache-2.0
"""What of a server is there first: addresses, health, metrics, and a typed refusal of all calls.

In: settings. Out: addresses that were really taken, before anything slow begins, so that a taken
port is noticed at once and an orchestrator is told that the server starts.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from tabard_server.callers.gate import Gate
from tabard_server.errors import BadSettings
from tabard_server.life.readiness import Readiness
from tabard_server.rpc.ports import operators_socket
from tabard_server.rpc.server import RpcServer
from tabard_server.settings import Settings
from tabard_server.telemetry.logs import log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.telemetry.metrics_page import MetricsPage
from tabard_server.telemetry.pages import Health

_HEALTH_SECONDS_MAX = 5.0
"""How long the event loop may be silent before the process is told to be dead."""


class Front:
    """Ports, and what is known before there is a base. Asyncio thread.

    Attributes:
        metrics: What everything else counts with.
        readiness: What the server does now; starting, to begin with.
        gate: What callers hold.
        rpc: The gRPC server; `App` brings its services.
        address: That of the gRPC port.
        operators_address: The one that is kept for operators; empty: there is none.
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
        self.address = self.operators_address = self.metrics_address = ""

    async def open(self) -> None:
        """Listen to callers, to operators, and to whoever reads the metrics.

        Raises:
            BadSettings: An address cannot be had; nothing listens then.
        """
        loop = asyncio.get_running_loop()
        self.address = await self.rpc.start(self._settings.listen)
        try:
            await self._listen_to_operators()
            if self._settings.metrics_listen:
                listen = self._settings.metrics_listen
                self._page = MetricsPage(
                    listen, registry=self.metrics.registry, ask=self._ask_for(loop)
                )
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

    async def _listen_to_operators(self) -> None:
        listen = self._settings.operators_listen
        is_chosen = listen == "auto"
        try:
            if is_chosen:
                listen = operators_socket(self._settings.listen)
            if listen:
                self.operators_address = await self.rpc.start_for_operators(listen)
        except BadSettings as error:
            if not is_chosen:
                raise
            # Nobody asked for it: a server without it still serves.
            log_problem(
                "operators.not_heard", reason=error.reason, message=str(error), hint=error.hint
            )

    def _ask_for(self, loop: asyncio.AbstractEventLoop) -> Callable[[], Health | None]:
        """Return how other threads ask for the health: of the event loop, or it is not told."""

        def health() -> Health:
            state = self.readiness.state
            return Health(is_live=state.is_live, is_ready=state.takes_jobs, state=state.value)

        def ask() -> Health | None:
            told: Future[Health] = Future()
            try:
                loop.call_soon_threadsafe(lambda: told.set_result(health()))
                return told.result(_HEALTH_SECONDS_MAX)
            except (RuntimeError, TimeoutError):
                return None

        return ask

    def _count_failure(self, reason: str) -> None:
        self.metrics.failures.labels(reason=reason).inc()
