# SPDX-License-Identifier: Apache-2.0
"""What of a server is there first: addresses, health, metrics, and a typed refusal of all calls.

In: settings. Out: addresses that were really taken, before anything slow begins, so that a taken
port is noticed at once and an orchestrator is told that the server starts.
"""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property

from tabard_registry import Forbidden, Registry
from tabard_registry.acts.permission import refuse_role
from tabard_registry.identity.roles import ANY_NAMESPACE, Role
from tabard_server.access.certificate_files import CertificateFiles
from tabard_server.access.settings import is_loopback
from tabard_server.callers.gate import Gate
from tabard_server.detached.assembly import folder_for
from tabard_server.errors import BadSettings, ServerError, Unauthenticated
from tabard_server.identity.authenticator import Authenticator
from tabard_server.identity.credentials import Credentials, read_authorization
from tabard_server.identity.sessions import Sessions
from tabard_server.life.readiness import Readiness
from tabard_server.life.server_id import server_id_in
from tabard_server.rpc.door.door import Recognition
from tabard_server.rpc.ports import UNIX, operators_socket
from tabard_server.rpc.server import RpcServer
from tabard_server.settings import Settings
from tabard_server.telemetry.logs import log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.telemetry.metrics_page import MetricsPage
from tabard_server.telemetry.pages import Health, Refused

_HEALTH_SECONDS_MAX = 5.0
"""How long the event loop may be silent before the process is told to be dead."""


class Front:
    """Ports, and what is known before there is a base. Asyncio thread.

    Attributes:
        metrics: What everything else counts with.
        readiness: What the server does now; starting, to begin with.
        gate: What callers hold.
        sessions: Whoever is in a call that goes on.
        rpc: The gRPC server; `App` brings its services.
        address: That of the gRPC port.
        operators_address: The one that is kept for operators; empty: there is none.
        metrics_address: That of the metrics page; empty: there is none.
        server_id: What this server is called among those of its registry.
    """

    def __init__(self, settings: Settings) -> None:
        """Construct it; nothing listens before `open`.

        Raises:
            BadSettings: The certificates cannot be used.
        """
        self._settings = settings
        self._files = CertificateFiles(settings.tls) if settings.tls.is_on else None
        self._authenticator = Authenticator(settings.identity)
        self.sessions = Sessions(ended=self._authenticator.ended)
        self._page: MetricsPage | None = None
        limits = settings.limits
        self.metrics = Metrics(
            releases_max=limits.metric_releases_max, tenants_max=limits.metric_tenants_max
        )
        self.readiness = Readiness(
            metrics=self.metrics, retry_seconds=settings.limits.retry_seconds
        )
        self.gate = Gate(settings.limits)
        self.rpc = RpcServer(
            limits=settings.limits,
            readiness=self.readiness,
            gate=self.gate,
            count=self._count_failure,
            recognition=Recognition(authenticator=self._authenticator, sessions=self.sessions),
            trusts_operators=settings.operators_listen.startswith(("auto", UNIX)),
            files=self._files,
        )
        self.address = self.operators_address = self.metrics_address = ""

    @cached_property
    def server_id(self) -> str:
        """What this server is called among those of its registry; asked for once it listens."""
        return server_id_in(folder_for(self._settings, address=self.address))

    def recognise(self, registry: Registry) -> None:
        """Know the tokens of a registry from now on, where they are taken."""
        self._authenticator.open(registry)

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
                    listen,
                    registry=self.metrics.registry,
                    ask=self._ask_for(loop),
                    refuse=self._refusal_for(loop),
                    context=self._context,
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

    def _context(self) -> ssl.SSLContext | None:
        return None if self._files is None else self._files.now.context

    def _refusal_for(
        self, loop: asyncio.AbstractEventLoop
    ) -> Callable[[str | None], Refused | None] | None:
        """Return how other threads ask whether somebody may read the metrics; None: everybody may.

        They tell of the whole server, so they are for whoever looks after it.
        """
        if not self._authenticator.is_on or is_loopback(self._settings.metrics_listen):
            return None

        async def judge(said: str | None) -> Refused | None:
            try:
                bearer = read_authorization([] if said is None else [said])
                session = await self._authenticator.authenticate(Credentials(bearer=bearer))
                grants = session.identity.grants
                refuse_role(Role.OPERATE, namespace=ANY_NAMESPACE, grants=grants)
            except Unauthenticated as error:
                return Refused(status="401 Unauthorized", why=f"{error}; {error.hint}")
            except Forbidden as error:
                return Refused(status="403 Forbidden", why=f"{error}; {error.hint}")
            except ServerError as error:
                return Refused(status="503 Service Unavailable", why=f"{error}; {error.hint}")
            return None

        def refuse(said: str | None) -> Refused | None:
            told: Future[Refused | None] = Future()

            async def tell() -> None:
                told.set_result(await judge(said))

            try:
                loop.call_soon_threadsafe(lambda: loop.create_task(tell()))
                return told.result(_HEALTH_SECONDS_MAX)
            except (RuntimeError, TimeoutError):
                return Refused(status="503 Service Unavailable", why="the server does not answer")

        return refuse

    def _count_failure(self, reason: str) -> None:
        self.metrics.failures.labels(reason=reason).inc()
