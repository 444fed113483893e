# SPDX-License-Identifier: Apache-2.0
"""The journal: the log and the state folded from it, advanced together by one lock.

Writers come in with an act and leave with the record that holds it; those who wait together share
one record. Readers take the snapshot and never wait. Knows nothing of blobs and of what acts mean.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice

from tabard_registry.acts import Act, Author, Landed
from tabard_registry.errors import AlreadyExists, RegistryError, StoreUnavailable
from tabard_registry.journal.group_commit import Group, WaitingAct, plan_group
from tabard_registry.log.records import ACTIONS_MAX, AppliedRecord, Record, time_text
from tabard_registry.log.slots import Log, LogLimits, StoredRecord
from tabard_registry.state.fold import effects_of, fold
from tabard_registry.state.state import State

RECORDS_KEPT_MAX = 10_000
"""How many of the newest records are kept in memory; older ones are read from the log."""


class Journal:
    """Log plus state. Thread-safe: one lock around log reads and writes and the state swap."""

    def __init__(
        self,
        start: State,
        *,
        log: Log,
        limits: LogLimits,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """Begin from a state, the empty one or a checkpoint's, and read the log from there."""
        self._log = log
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._view_lock = threading.Lock()
        self._waiting: deque[WaitingAct] = deque()
        self._kept: deque[AppliedRecord] = deque(maxlen=RECORDS_KEPT_MAX)
        self._state = start
        self.catch_up()

    @property
    def state(self) -> State:
        """The newest snapshot."""
        return self._state

    def applied(self, *, after: int = 0, limit: int | None = None) -> tuple[AppliedRecord, ...]:
        """Return the records after a position, oldest first; old ones are read from the log.

        Raises:
            CorruptRegistry, StoreUnavailable: An old record cannot be read.
        """
        with self._view_lock:
            state, kept = self._state, tuple(self._kept)
        until = state.seq if limit is None else min(state.seq, after + limit)
        first_kept = kept[0].seq if kept else state.seq + 1
        old = range(after + 1, min(until, first_kept - 1) + 1)
        found = [effects_of(state, record) for record in self._log.at(old)]
        found.extend(record for record in kept if after < record.seq <= until)
        return tuple(found)

    def now(self) -> str:
        """Return the time as records have it."""
        return time_text(self._clock())

    def catch_up(self) -> None:
        """Read the log to its end, and swap the state.

        Raises:
            CorruptRegistry, UnusableRegistry, StoreUnavailable: As the log raises them; the state
                then stays as it was.
        """
        with self._lock:
            self._catch_up()

    def commit(self, act: Act[object], *, author: Author) -> Landed | None:
        """Make an act happen, or return None when the state is as wanted already.

        Returns where the earlier act is when the request id has acted before.

        Raises:
            InvalidField: The act needs a reason, and there is none.
            AlreadyExists: The request id stands for another act.
            StoreUnavailable: Too many other writers, or the outcome is unknown.
            RegistryError: Whatever the plan raises.
        """
        act.check(author)
        mine = WaitingAct(act=act, author=author)
        self._waiting.append(mine)
        try:
            while not mine.is_answered:
                with self._lock:
                    # Whoever has the lock writes for all who wait; the others find their answer.
                    if not mine.is_answered:
                        self._serve(self._next_acts())
        finally:
            if not mine.is_answered:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error
        return mine.landed

    def _next_acts(self) -> list[WaitingAct]:
        found: list[WaitingAct] = []
        request_ids: set[str] = set()
        while self._waiting and len(found) < ACTIONS_MAX:
            request_id = self._waiting[0].author.request_id
            if request_id and request_id in request_ids:
                break
            request_ids.add(request_id)
            found.append(self._waiting.popleft())
        return found

    def _serve(self, acts: list[WaitingAct]) -> None:
        try:
            self._write(acts)
        except RegistryError as error:
            for one in acts:
                if not one.is_answered:
                    one.answer(error=error)
        except BaseException:
            # An interrupted writer must not leave the others waiting for an answer for ever.
            self._waiting.extendleft(one for one in reversed(acts) if not one.is_answered)
            raise

    def _write(self, acts: list[WaitingAct]) -> None:
        self._catch_up()
        record_id = self._new_id()
        for attempt in range(self._limits.act_attempts_max):
            acts = [one for one in acts if not self._is_replayed(one)]
            group = plan_group(acts, state=self._state)
            if not group.actions:
                return _answer(group, state=self._state)
            entry = self._log.claim(self._record(group, record_id=record_id))
            self._fold([entry], own_id=record_id)
            if entry.record.id == record_id:
                self._waiting.extendleft(reversed(group.postponed))
                return _answer(group, state=self._state, applied=self._kept[-1])
            self._log.pause(min(attempt, 4))
            self._catch_up()
        raise StoreUnavailable(
            f"lost {self._limits.act_attempts_max} slots to other writers",
            reason="CONTENTION",
            hint="Try again; nothing was written.",
        )

    def _catch_up(self) -> None:
        entries = self._log.after(self._state.seq, head=self._state.head)
        # In pieces, so that a long log is not in memory twice.
        while some := list(islice(entries, RECORDS_KEPT_MAX)):
            self._fold(some)

    def _fold(self, entries: list[StoredRecord], *, own_id: str = "") -> None:
        state, applied = fold(self._state, ((entry.record, entry.digest) for entry in entries))
        if own_id:
            applied = tuple(replace(one, is_own=one.record.id == own_id) for one in applied)
        with self._view_lock:
            self._kept.extend(applied)
            self._state = state

    def _is_replayed(self, waiting: WaitingAct) -> bool:
        request_id = waiting.author.request_id
        seq = self._state.acted_at(request_id)
        if seq is None:
            return False
        applied = self._at(seq)
        for action, effect in zip(applied.record.actions, applied.effects, strict=True):
            if action.request_id == request_id and waiting.act.is_same(action):
                waiting.answer(Landed(seq=seq, action=action, effect=effect))
                return True
        waiting.answer(
            error=AlreadyExists(
                f"request id {request_id} acted in record {seq}, and differently",
                reason="REQUEST_ID_REUSED",
                hint="Use a new request id for every act; repeat one only to repeat the same act.",
            )
        )
        return True

    def _at(self, seq: int) -> AppliedRecord:
        if self._kept and self._kept[0].seq <= seq:
            return self._kept[seq - self._kept[0].seq]
        return effects_of(self._state, next(self._log.at([seq])))

    def _record(self, group: Group, *, record_id: str) -> Record:
        return Record(
            seq=self._state.seq + 1,
            prev=self._state.head,
            id=record_id,
            time=self.now(),
            actions=tuple(group.actions),
        )


def _answer(group: Group, *, state: State, applied: AppliedRecord | None = None) -> None:
    for one in group.idle:
        one.answer()
    for one, error in group.refused:
        one.answer(error=error)
    if applied is None:
        return
    for one, action, effect in zip(
        group.owners, applied.record.actions, applied.effects, strict=True
    ):
        assert effect.effective, effect.note
        one.answer(Landed(seq=state.seq, action=action, effect=effect))
