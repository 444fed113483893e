# SPDX-License-Identifier: Apache-2.0
"""How long a client goes on: with a server that asks it to wait, and with one that went away.

In: what failed, and what worked. Out: seconds to wait, or the failure itself. Waits for nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

from tabard.errors import (
    CONNECTION_LOST,
    NOBODY_ANSWERS,
    FieldViolation,
    InvalidArgument,
    ResourceExhausted,
    TabardError,
    Unavailable,
)
from tabard.routing import BASE_METADATA, SERVER_METADATA, base_hint

if TYPE_CHECKING:
    import random

    from google.protobuf.message import Message

WATCH_PATIENCE_SECONDS = 60.0
REFUSAL_PATIENCE_SECONDS = 60.0
TIMEOUT_SECONDS_MAX = 1e9
"""Thirty years; gRPC waits not at all for what is far longer."""

Metadata = tuple[tuple[str, str], ...]
OnWait = Callable[[float, TabardError], None]
"""Told before every wait: its seconds, and the refusal that asked for it."""

_PAUSE_SECONDS_MIN = 0.05
_PAUSE_SECONDS_MAX = 2.0
_JITTER_SECONDS = 0.1
_JITTER_GROWTH = 2.0
_JITTER_SECONDS_MAX = 2.0
_MOVES_MAX = 2
"""How often a call goes to another server at once; from then on it waits as it is asked to."""
_log = logging.getLogger("tabard")


def require_timeout(seconds: float) -> None:
    """See that a call can have so long.

    Raises:
        InvalidArgument: It cannot.
        TypeError: That is no number.
    """
    if not isinstance(seconds, Real):
        raise TypeError(f"a timeout is a number of seconds, not {seconds!r}")
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        message = f"a timeout of {seconds} seconds cannot be kept"
        raise InvalidArgument(
            message,
            violations=(FieldViolation(field="timeout_seconds", description=message),),
            reason="BAD_TIMEOUT",
            hint=f"use a positive number of seconds, at most {TIMEOUT_SECONDS_MAX:.0f}",
        )


class Given(Protocol):
    """What of a call was given to its caller, over all tries.

    Attributes:
        began_anew: Whether the server has lost what it had begun, and began once more.
    """

    began_anew: bool

    @property
    def base(self) -> str:
        """The base that it was begun on, by its fingerprint; empty: nobody said."""

    def asked_again(self, request: Message, /) -> Message:
        """Give the request as it is sent now: whichever server has it, goes on with the same."""

    def is_new(self, value: Any, /) -> bool:
        """Say whether a value was not given before; from now on it was."""


class Patience:
    """Counts from the first failure after something worked."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Take the seconds after which it is over; who was never there is not waited for."""
        self._seconds = seconds
        self._clock = clock
        self._rng = rng
        self._was_there = False
        self._lost_at: float | None = None
        self._pause_seconds = _PAUSE_SECONDS_MIN

    def renew(self) -> None:
        """Begin anew: the server is there."""
        self._was_there = True
        self._lost_at = None
        self._pause_seconds = _PAUSE_SECONDS_MIN

    def pause_after(self, failure: TabardError) -> float:
        """Give the seconds to wait before the next try.

        Raises:
            TabardError: The failure, when patience is over.
        """
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
        if not self._was_there or now - self._lost_at >= self._seconds:
            raise failure
        pause = self._pause_seconds
        self._pause_seconds = min(2 * pause, _PAUSE_SECONDS_MAX)
        return pause * (self._rng or _fresh_rng()).uniform(0.5, 1.0)


class Retries:
    """Counts from the first failure of one call, which is sent again while the server asks to wait.

    Only a server that is busy or away and says when to come back (`retry_after_seconds`) is waited
    for: nothing of the call has begun then, so sending it again is safe. A call that is safe to
    repeat is sent again after a broken connection, too. Patience counts anew once it goes on, but
    not once it began anew: what brings a server down is not sent to it for ever.

    Attributes:
        attempts: How often it was sent, this time included.
        is_under_way: Whether the server was met: it answered, or the connection broke.
    """

    def __init__(
        self,
        *,
        patience_seconds: float,
        timeout_seconds: float | None,
        on_wait: OnWait | None = None,
        given: Given | None = None,
        on_base: Callable[[str], None] | None = None,
        on_server: Callable[[str, str], None] | None = None,
        is_base_said: bool = False,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Take how long to wait in all, and the deadline of the call, which holds all tries.

        Args:
            patience_seconds: How long it is sent again without getting on.
            timeout_seconds: The deadline; None: there is none.
            on_wait: Told of every wait.
            given: What its caller was given, of a call that is safe to repeat.
            on_base: Told which base it needs, when a server of another one refuses.
            on_server: Told which server keeps its job, and that one's base, when another refuses.
            is_base_said: Whether its caller says the base: then it goes to no other.
            clock: Monotonic seconds.
            rng: For jitter.

        Raises:
            InvalidArgument: No call can have so long.
            TypeError: The deadline is no number.
        """
        self._clock = clock
        self._rng = rng
        self._on_wait = on_wait
        self._jitter_seconds = _JITTER_SECONDS
        self.attempts = 1
        if timeout_seconds is not None:
            require_timeout(timeout_seconds)
        self._deadline_at = None if timeout_seconds is None else clock() + timeout_seconds
        self._patience_seconds = patience_seconds
        self._failing_since: float | None = None
        self._given = given
        self._on_base = on_base
        self._on_server = on_server
        self._is_base_said = is_base_said
        self._base = self._server = ""
        self._moves = 0
        self.is_under_way = False

    @property
    def seconds_left(self) -> float | None:
        """The timeout of the next try; None: it has none."""
        return None if self._deadline_at is None else self._deadline_at - self._clock()

    def note_answer(self) -> None:
        """Note that the server was met."""
        self.is_under_way = True

    def is_new(self, value: object) -> bool:
        """Note what came, and say whether the caller was not given it before."""
        self.note_answer()
        is_new = self._given is None or self._given.is_new(value)
        if self._given is None or not self._given.began_anew:
            self._failing_since = None
        if is_new:
            self._jitter_seconds = _JITTER_SECONDS
        return is_new

    def metadata(self, said: Metadata) -> Metadata:
        """Give the metadata of the next try: base and server are those that servers have named."""
        base = self._base or (base_hint(self._given.base) if self._given else "")
        named = {
            BASE_METADATA: "" if self._is_base_said else base,
            SERVER_METADATA: self._server,
        }
        found = {key: value for key, value in named.items() if value}
        return (*(one for one in said if one[0] not in found), *found.items())

    def request(self, first: Message) -> Message:
        """Give what the next try sends, of what was sent at first."""
        return self._given.asked_again(first) if self._given else first

    def pause_after(self, refusal: TabardError) -> float:
        """Give the seconds to wait before the next try: what was asked for, and full jitter.

        Every wait is told: to `on_wait`, else in the log `tabard`. A server of another base is not
        waited for: the next try goes to one of the right base, once; nor is one that says who
        keeps the job.

        Raises:
            TabardError: The refusal, when it asks for no wait, or there is no time for it.
        """
        if self._goes_to_another_server(refusal) or self._goes_to_another_base(refusal):
            return 0.0
        asked = 0.0 if self._is_lost(refusal) else refusal.retry_after_seconds
        if asked is None or not isinstance(refusal, ResourceExhausted | Unavailable):
            raise refusal
        if self.is_under_way and self._given is None:
            # What has begun would be done twice.
            raise refusal
        # Never earlier than asked, and those who were refused together do not come back together.
        # Little beside what was asked: a server may keep a place for that time.
        pause = asked + (self._rng or _fresh_rng()).uniform(0.0, self._jitter_seconds)
        self._jitter_seconds = min(_JITTER_GROWTH * self._jitter_seconds, _JITTER_SECONDS_MAX)
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        until, patient_until = now + pause, self._failing_since + self._patience_seconds
        if until > patient_until or (self._deadline_at and until >= self._deadline_at):
            raise refusal
        self.attempts += 1
        if self._on_wait is not None:
            self._on_wait(pause, refusal)
        else:
            _log.info(
                "not done (%s): attempt %d follows in %.2f s", refusal.reason, self.attempts, pause
            )
        return pause

    def _goes_to_another_server(self, refusal: TabardError) -> bool:
        if not refusal.server or refusal.server == self._server or self._moves >= _MOVES_MAX:
            return False
        self._server, self._base = refusal.server, base_hint(refusal.base)
        self._moves += 1
        self.attempts += 1
        if self._on_server is not None:
            self._on_server(refusal.server, refusal.base)
        _log.info("refused (%s): asked for again at its server", refusal.reason)
        return True

    def _goes_to_another_base(self, refusal: TabardError) -> bool:
        base = base_hint(refusal.base)
        if not base or self._base or self._is_base_said:
            return False
        self._base = base
        self.attempts += 1
        if self._on_base is not None:
            self._on_base(refusal.base)
        _log.info("refused (%s): asked for again on base %s", refusal.reason, base)
        return True

    def _is_lost(self, failure: TabardError) -> bool:
        """Say whether the connection to a server that was met is gone, and that does no harm."""
        if self._given is None:
            return False
        is_lost = failure.reason == CONNECTION_LOST
        self.is_under_way |= is_lost
        return is_lost or (self.is_under_way and failure.reason == NOBODY_ANSWERS)


def _fresh_rng() -> random.Random:
    import random  # noqa: PLC0415 - only those who wait need it

    return random.Random()
