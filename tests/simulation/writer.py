# SPDX-License-Identifier: Apache-2.0
"""Writers: processes that callers ask for acts, alone or in crowds, and that may die meanwhile."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from tabard_registry import Author, Registry
from tabard_registry.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    RegistryError,
    StoreUnavailable,
)
from tabard_registry.journal.group_commit import WaitingAct
from tests.simulation.process import World
from tests.simulation.promises.ledger import Intent
from tests.simulation.wishes import Wishes

TRIES_MAX = 4
CROWD_MAX = 4
REFUSALS = (AlreadyExists, NotFound, PreconditionFailed)
"""Answers that say no; anything else but silence is a failure of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one caller was told.

    Attributes:
        seq: Where it is done; None if it is not, or was so already.
        error: Why it is not done.
    """

    seq: int | None = None
    error: RegistryError | None = None

    @property
    def text(self) -> str:
        """The answer in one word."""
        if self.error is not None:
            return self.error.reason
        return "unchanged" if self.seq is None else "acknowledged"


class Writer:
    """Publishes, moves channels, withdraws and condemns; repeats what it may repeat.

    Args:
        world: The history.
        number: Which writer this is.
        wishes: How many wishes its callers have.
        shared: Wishes that callers bring to several writers, perhaps at the same time.
    """

    def __init__(self, world: World, *, number: int, wishes: int, shared: list[Intent]) -> None:
        self._world = world
        self._wishes = Wishes(world.rng, number=number)
        self._left = wishes
        self._pending: list[Intent] = []
        self._shared = shared

    def go_on(self, registry: Registry, *, owner: str) -> None:
        """Fulfil what is left, one crowd after the other."""
        while self._pending or self._left > 0:
            crowd = self._pending or self._next(registry)
            # After a crash, callers come back with what has a request id, and leave the rest.
            self._pending = [intent for intent in crowd if intent.request_id]
            self._world.think()
            for _ in range(TRIES_MAX):
                crowd = self._serve(registry, crowd, owner=owner)
                if not crowd:
                    break
                self._world.think()
            self._pending = []
            self._world.ledger.see(owner, registry.state)

    def _next(self, registry: Registry) -> list[Intent]:
        rng = self._world.rng
        crowd: list[Intent] = []
        for _ in range(rng.randint(2, CROWD_MAX) if rng.random() < 0.3 else 1):
            self._left -= 1
            if self._shared and rng.random() < 0.2:
                intent = rng.choice(self._shared)
            else:
                intent = self._wishes.draw(registry.state)
                if intent.request_id and rng.random() < 0.3:
                    self._shared.append(intent)
            if intent not in crowd:
                crowd.append(intent)
        if len(crowd) > 1 and rng.random() < 0.5:
            crowd.append(self._wishes.condemn())
        return crowd

    def _serve(self, registry: Registry, crowd: list[Intent], *, owner: str) -> list[Intent]:
        """Ask for all at once, and return what will be asked for again."""
        is_alone = len(crowd) == 1 and crowd[0].store is not None
        ready = crowd if is_alone else [one for one in crowd if self._prepare(registry, one)]
        again = [intent for intent in crowd if intent not in ready]
        # Who stores bytes first need not be the first to reach the journal.
        ready = self._world.rng.sample(ready, len(ready))
        if self._world.rng.random() < 0.1:
            return []  # the callers have gone: what they uploaded is garbage
        was_uncertain = {intent.label: intent.is_uncertain for intent in ready}
        for intent in ready:
            self._world.ledger.open(intent)
            intent.is_uncertain = True  # until there is an answer: the process may crash
        answers = _ask(registry, ready)
        for intent, answer in zip(ready, answers, strict=True):
            intent.is_uncertain = was_uncertain[intent.label]
            if self._hear(intent, answer, owner=owner):
                again.append(intent)
        for intent, answer in zip(ready, answers, strict=True):
            with contextlib.suppress(StoreUnavailable):
                if answer.seq is not None:
                    intent.afterwards(registry)
        return again

    def _prepare(self, registry: Registry, intent: Intent) -> bool:
        try:
            intent.act = intent.make(registry)
        except StoreUnavailable:
            self._world.ledger.counts["told: upload failed"] += 1
            return False
        return True

    def _hear(self, intent: Intent, answer: Answer, *, owner: str) -> bool:
        """Note one answer; return whether the caller will ask again."""
        ledger = self._world.ledger
        ledger.counts[f"told: {answer.text}"] += 1
        self._world.trace(owner, "told", intent.label, answer.text, answer.seq)
        if isinstance(answer.error, StoreUnavailable):
            intent.is_uncertain |= answer.error.reason == "COMMIT_UNKNOWN"
            return bool(intent.request_id)
        if answer.seq is not None:
            ledger.acknowledge(intent, seq=answer.seq)
        elif answer.error is None:
            ledger.leave_unchanged(intent)
        return answer.text == "BYTES_COLLECTED"


def _ask(registry: Registry, crowd: list[Intent]) -> list[Answer]:
    """Let several callers wait for the journal at once; the one who comes last writes for all."""
    authors = [Author(actor="ann", reason=one.label, request_id=one.request_id) for one in crowd]
    if len(crowd) == 1 and crowd[0].store is not None:
        return [_publish(registry, crowd[0], author=authors[0])]
    waiting = [
        WaitingAct(act=intent.act, author=author)
        for intent, author in zip(crowd, authors, strict=True)
        if intent.act
    ]
    if not waiting:
        return []
    registry._journal._waiting.extend(waiting[:-1])
    last = waiting[-1]
    try:
        last.answer(registry._journal.commit(last.act, author=last.author))
    except (StoreUnavailable, *REFUSALS) as error:
        last.answer(error=error)
    assert all(one.is_answered for one in waiting), "somebody waits for ever"
    return [Answer(seq=one.landed.seq if one.landed else None, error=one.error) for one in waiting]


def _publish(registry: Registry, intent: Intent, *, author: Author) -> Answer:
    """Publish as `Registry.publish` does, which stores again what a collection took."""
    store = intent.store
    assert store is not None
    try:
        published = registry._publish(lambda state: store(registry), said=None, author=author)
    except (StoreUnavailable, *REFUSALS) as error:
        return Answer(error=error)
    return Answer(seq=published.seq if published.created else None)
