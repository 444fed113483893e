# SPDX-License-Identifier: Apache-2.0
"""What the server does for callers now: the one state that health, status and admission read.

In: what is so, from whoever sees it. Out: a state with its reasons, log events, a metric, and the
refusal of new jobs. Several things may be so at once; the gravest decides. Knows no protobuf.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tabard_server.errors import NotServing
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics


class State(Enum):
    """What a server does for callers, the gravest first."""

    STARTING = "starting"
    """The base is being loaded."""
    DRAINING = "draining"
    """Running jobs end, and no other begins."""
    STALLED = "stalled"
    """The engine is not heard of, though it has work."""
    STALE = "stale"
    """The registry is not heard of for too long, and the settings say to refuse."""
    DEGRADED = "degraded"
    """The registry is not heard of for too long, and the settings say to go on."""
    SERVING = "serving"
    """Nothing of all that."""

    @property
    def takes_jobs(self) -> bool:
        """Whether new jobs are admitted; health says SERVING exactly then."""
        return self in (State.SERVING, State.DEGRADED)

    @property
    def is_live(self) -> bool:
        """Whether waiting may help; a server that is not live is cured by a restart."""
        return self is not State.STALLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a server is not simply serving.

    Attributes:
        state: What follows from it.
        reason: Stable code in upper snake case.
        message: What is so, in words.
        since: When it began, by the clock of the readiness.
    """

    state: State
    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    reason: str
    hint: str
    is_trouble: bool = True


_ELSEWHERE = "retry; another server takes the job, or this one "
_WORDS = {
    State.STARTING: _Words(
        reason="SERVER_STARTING", hint=_ELSEWHERE + "once its base is loaded", is_trouble=False
    ),
    State.DRAINING: _Words(
        reason="DRAINING", hint=_ELSEWHERE + "once it is restarted", is_trouble=False
    ),
    State.STALLED: _Words(
        reason="ENGINE_STALLED", hint=_ELSEWHERE + "when its engine is heard of again"
    ),
    State.STALE: _Words(
        reason="REGISTRY_STALE", hint=_ELSEWHERE + "when its registry answers again"
    ),
    State.DEGRADED: _Words(reason="REGISTRY_STALE", hint="nothing to do"),
}


class Readiness:
    """The state of one server. It begins as starting. Asyncio thread."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        retry_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what a refused caller is told to wait."""
        self._metrics = metrics
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._causes: dict[State, Cause] = {}
        self._change = asyncio.Event()
        self.enter(State.STARTING, "the base is being loaded")

    @property
    def state(self) -> State:
        """What the server does for callers now."""
        return next((state for state in State if state in self._causes), State.SERVING)

    @property
    def change(self) -> asyncio.Event:
        """What is set at the next change. Take it before the state: no change is missed then."""
        return self._change

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why it is not simply serving, the gravest first; empty when it is."""
        return tuple(self._causes[state] for state in State if state in self._causes)

    def seconds(self, cause: Cause) -> float:
        """Return for how long something is so."""
        return max(0.0, self._clock() - cause.since)

    def enter(self, state: State, message: str, *, lasted_seconds: float = 0.0) -> None:
        """Note that something is so, and for how long already. Idempotent."""
        if state in self._causes:
            return
        words, since = _WORDS[state], self._clock() - lasted_seconds
        self._causes[state] = Cause(state=state, reason=words.reason, message=message, since=since)
        log = log_problem if words.is_trouble else log_event
        log("server.state_entered", state=state.value, reason=words.reason, message=message)
        self._show()

    def leave(self, state: State) -> None:
        """Note that something is so no longer. Idempotent."""
        cause = self._causes.pop(state, None)
        if cause is not None:
            log_event("server.state_left", state=state.value, seconds=self.seconds(cause))
            self._show()

    def require(self) -> None:
        """Let a new job pass, or not.

        Raises:
            NotServing: The server takes no new jobs; the reason says why.
        """
        if self.state.takes_jobs:
            return
        cause = self.causes[0]
        raise NotServing(
            f"this server is {cause.state.value} and takes no new jobs: {cause.message}",
            reason=cause.reason,
            hint=_WORDS[cause.state].hint,
            retry_seconds=self._retry_seconds,
        )

    def _show(self) -> None:
        passed, self._change = self._change, asyncio.Event()
        passed.set()
        for state in State:
            self._metrics.state.labels(state=state.value).set(state is self.state)
