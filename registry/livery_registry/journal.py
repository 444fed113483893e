# SPDX-License-Identifier: Apache-2.0
"""The journal: the log and the state folded from it, advanced together by one lock.

Writers come in with an act and leave with a record of the log; readers take the snapshot and never
wait. Knows nothing of blobs and of what acts mean.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from livery_registry.acts import Act, Plan
from livery_registry.errors import AlreadyExists, InvalidField, StoreUnavailable
from livery_registry.fold import empty_state, fold
from livery_registry.log import Entry, Log, LogLimits
from livery_registry.place import Place
from livery_registry.records import AppliedRecord, Record
from livery_registry.state import State

ACTOR_CHARS_MAX = 200
"""Longest actor."""
REASON_CHARS_MAX = 2_000
"""Longest reason."""
REQUEST_ID_CHARS_MAX = 200
"""Longest request id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants an act, and why.

    Attributes:
        actor: Who; not empty.
        reason: Why.
        request_id: Key of the caller: the same key never acts twice. Empty: no such promise.

    Raises:
        InvalidField: The actor is missing, or a field is too long.
    """

    actor: str
    reason: str = ""
    request_id: str = ""

    def __post_init__(self) -> None:
        if not self.actor.strip():
            raise InvalidField(
                "an act needs an actor",
                reason="FIELD_REQUIRED",
                hint="Say who acts: a person, a team or a job.",
            )
        for what, text, chars_max in (
            ("the actor", self.actor, ACTOR_CHARS_MAX),
            ("the reason", self.reason, REASON_CHARS_MAX),
            ("the request id", self.request_id, REQUEST_ID_CHARS_MAX),
        ):
            if len(text) > chars_max:
                raise InvalidField(
                    f"{what} has {len(text)} characters",
                    reason="FIELD_TOO_LONG",
                    hint=f"At most {chars_max} characters.",
                )


class Journal:
    """Log plus state. Thread-safe: one lock around log reads and writes and the state swap."""

    def __init__(
        self,
        place: Place,
        *,
        log: Log,
        limits: LogLimits,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._log = log
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._history: list[AppliedRecord] = []
        self._state = empty_state(registry_id=place.registry_id, genesis=place.genesis)
        self.catch_up()

    @property
    def state(self) -> State:
        """The newest snapshot."""
        return self._state

    def applied(self, *, after: int = 0) -> list[AppliedRecord]:
        """Return the records after a position, oldest first."""
        return self._history[after : self._state.seq]

    def record(self, seq: int) -> AppliedRecord:
        """Return the record at a position that the state has reached."""
        return self._history[seq - 1]

    def catch_up(self) -> None:
        """Read the log to its end, and swap the state.

        Raises:
            CorruptRegistry, UnusableRegistry, StoreUnavailable: As the log raises them; the state
                then stays as it was.
        """
        with self._lock:
            self._catch_up()

    def commit(self, act: Act, *, wish: Wish) -> AppliedRecord | None:
        """Make an act happen, or return None when the state is as wanted already.

        Returns the earlier record when the request id has acted before.

        Raises:
            AlreadyExists: The request id stands for another act.
            StoreUnavailable: Too many other writers, or the outcome is unknown.
            RegistryError: Whatever the plan raises.
        """
        with self._lock:
            self._catch_up()
            record_id = self._new_id()
            for attempt in range(self._limits.act_attempts_max):
                replay = self._replay(act, wish=wish)
                if replay is not None:
                    return replay
                plan = act.plan(self._state)
                if plan.action is None:
                    return None
                record = self._record(plan, wish=wish, record_id=record_id)
                entry = self._log.claim(record)
                self._fold([entry])
                if entry.record.id == record_id:
                    return self._history[-1]
                self._log.pause(min(attempt, 4))
                self._catch_up()
        raise StoreUnavailable(
            f"lost {self._limits.act_attempts_max} slots to other writers",
            reason="CONTENTION",
            hint="Try again; nothing was written.",
        )

    def _catch_up(self) -> None:
        entries = list(self._log.after(self._state.seq, head=self._state.head))
        self._fold(entries)

    def _fold(self, entries: list[Entry]) -> None:
        state, applied = fold(self._state, ((entry.record, entry.digest) for entry in entries))
        self._history.extend(applied)
        self._state = state

    def _replay(self, act: Act, *, wish: Wish) -> AppliedRecord | None:
        seq = self._state.acted.get(wish.request_id) if wish.request_id else None
        if seq is None:
            return None
        found = self._history[seq - 1]
        if not any(act.is_same(action) for action in found.record.actions):
            raise AlreadyExists(
                f"request id {wish.request_id} acted in record {seq}, and differently",
                reason="REQUEST_ID_REUSED",
                hint="Use a new request id for every act; repeat one only to repeat the same act.",
            )
        return found

    def _record(self, plan: Plan, *, wish: Wish, record_id: str) -> Record:
        assert plan.action is not None
        now = self._clock().astimezone(UTC)
        return Record(
            seq=self._state.seq + 1,
            prev=self._state.head,
            id=record_id,
            request_id=wish.request_id,
            time=now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            actor=wish.actor,
            reason=wish.reason,
            expect=plan.expect,
            actions=(plan.action,),
        )
