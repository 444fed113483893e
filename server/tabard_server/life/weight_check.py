# SPDX-License-Identifier: Apache-2.0
"""Whether the weights in memory are still those that were loaded: hashed again when somebody asks.

In: an engine. Out: both fingerprints of each component. One check at a time, in a thread of its own
that rests as long as it works, so that steps go on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tabard_server.engine_port.port import EnginePort
from tabard_server.errors import NotServing, Overloaded
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedComponent:
    """The weights of one component.

    Attributes:
        component: Its name.
        loaded_fingerprint: Of what was loaded.
        found_fingerprint: Of what lies in memory now.
    """

    component: str
    loaded_fingerprint: str
    found_fingerprint: str

    @property
    def is_sound(self) -> bool:
        """Whether nothing has changed."""
        return self.loaded_fingerprint == self.found_fingerprint


class WeightCheck:
    """Checks the weights of one engine. Asyncio thread."""

    def __init__(
        self,
        engine: EnginePort[Any],
        *,
        metrics: Metrics,
        retry_seconds: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take what a second caller is told to wait."""
        self._engine = engine
        self._metrics = metrics
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._threads = Threads("verify", threads_max=1)
        self._pace: _Pace | None = None
        self._is_closed = False

    async def run(self) -> list[VerifiedComponent]:
        """Hash everything again. A caller who leaves ends it.

        Raises:
            Overloaded: A check runs already.
            NotServing: The server stops.
        """
        if self._is_closed:
            raise _stopped()
        if self._pace is not None:
            raise Overloaded(
                "a verification runs already",
                reason="VERIFY_BUSY",
                hint="ask again when it is over",
                retry_seconds=self._retry_seconds,
            )
        begun_at = self._clock()
        self._pace = pace = _Pace(clock=self._clock)
        try:
            found = await self._threads.run(self._engine.hash_weights, between=pace)
        finally:
            pace.stop()
            self._pace = None
        components = [
            VerifiedComponent(
                component=name, loaded_fingerprint=loaded, found_fingerprint=found.get(name, "")
            )
            for name, loaded in sorted(self._engine.loaded_fingerprints.items())
        ]
        self._tell(components, seconds=self._clock() - begun_at)
        return components

    def close(self) -> None:
        """End a check that runs, begin no other. Idempotent."""
        self._is_closed = True
        if self._pace is not None:
            self._pace.stop()
        self._threads.close()

    def _tell(self, components: list[VerifiedComponent], *, seconds: float) -> None:
        changed = [one.component for one in components if not one.is_sound]
        if changed:
            self._metrics.failures.labels(reason="WEIGHTS_CHANGED").inc()
            log_problem("weights.changed", components=",".join(changed), seconds=seconds)
        else:
            log_event("weights.verified", components=len(components), seconds=seconds)


class _Pace:
    """Called between pieces of work: rests as long as the last one took; raises once stopped."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stopped = threading.Event()
        self._begun_at = clock()

    def stop(self) -> None:
        """Let the work end at its next piece. Any thread."""
        self._stopped.set()

    def __call__(self) -> None:
        """Rest."""
        if self._stopped.wait(self._clock() - self._begun_at):
            raise _stopped()
        self._begun_at = self._clock()


def _stopped() -> NotServing:
    return NotServing(
        "the server stopped before the weights were verified",
        reason="SERVER_STOPPED",
        hint="ask another server, or this one when it is restarted",
    )
