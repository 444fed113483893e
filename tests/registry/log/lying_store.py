# SPDX-License-Identifier: Apache-2.0
"""A store that lies, and writers on it. Drawn from one seed: a failing run repeats to the bit."""

from __future__ import annotations

import random
from collections.abc import Callable

from tabard_registry import Author, acts
from tabard_registry.errors import StoreUnavailable
from tabard_registry.journal.journal import Journal
from tabard_registry.log.slots import Log, LogLimits
from tabard_registry.place import open_place
from tabard_registry.state.fold import empty_state
from tabard_registry.state.state import State
from tabard_registry.store.store import Outcome
from tests.registry.fakes import MemoryStore, counted_ids, fixed_clock, small_manifest

ACTS_PER_WRITER = 12
WRITERS = 3


def publish_next(state: State) -> acts.Plan:
    """Plan the next version after all there are: an act that a second try would double."""
    return acts.publish(small_manifest(f"{state.seq + 1}.0.0")).plan(state)


PUBLISH_NEXT = acts.Act(
    plan=publish_next, is_same=lambda action: True, answer=lambda _state, landed: landed
)


class LyingStore(MemoryStore):
    """A store whose answers to creates get lost, come late, or are about an earlier try."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng
        self._late: list[tuple[str, bytes]] = []
        self.before_create: Callable[[], None] = lambda: None
        self.is_lying = False

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, and answer as an unreliable store would."""
        if not self.is_lying:
            return super().create(key, body=body)
        self.before_create()
        self._land()
        fate = self._rng.random()
        if fate < 0.15:  # the request is lost, or 409: nothing known
            return Outcome.UNKNOWN
        if fate < 0.25:  # the request arrives later
            self._late.append((key, body))
            return Outcome.UNKNOWN
        outcome = super().create(key, body=body)
        if fate < 0.45:  # the answer is lost
            return Outcome.UNKNOWN
        if fate < 0.65:  # the answer was lost, and a library tried again: 412 for our own write
            return Outcome.OCCUPIED
        return outcome

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Read, unless the store is out of order."""
        if self.is_lying:
            self._land()
            if self._rng.random() < 0.05:
                raise StoreUnavailable("out of order", reason="STORE_UNAVAILABLE")
        return super().read(key, bytes_max=bytes_max)

    def _land(self) -> None:
        while self._late and self._rng.random() < 0.5:
            key, body = self._late.pop(0)
            super().create(key, body=body)


class Writer:
    """One process: a journal of its own, and labels of the acts that it will do."""

    def __init__(self, number: int, store: LyingStore, *, seed: int) -> None:
        limits = LogLimits(slot_attempts_max=8)
        place = open_place(store, new_id=counted_ids("registry"), create=True)
        rng = random.Random(seed)
        log = Log(store, limits=limits, sleep=lambda seconds: None, rng=rng)
        self.journal = Journal(
            empty_state(registry_id=place.registry_id, genesis=place.genesis),
            log=log,
            limits=limits,
            clock=fixed_clock(),
            new_id=counted_ids(f"w{number}"),
        )
        self.left = [f"act {i} of writer {number}" for i in range(ACTS_PER_WRITER)]
        self.acknowledged: list[str] = []
        self.is_busy = False

    def act(self) -> None:
        """Act once under a label of its own; whatever stays unknown is left alone."""
        if self.is_busy or not self.left:
            return
        self.is_busy = True
        label = self.left.pop()
        try:
            self.journal.commit(PUBLISH_NEXT, author=Author(actor="ann", reason=label))
            self.acknowledged.append(label)
        except StoreUnavailable:
            pass
        finally:
            self.is_busy = False


def simulate(seed: int) -> tuple[LyingStore, list[Writer]]:
    """Let writers act on one lying store, in and between each other's creates."""
    rng = random.Random(seed)
    store = LyingStore(rng)
    writers = [Writer(number, store, seed=seed) for number in range(WRITERS)]
    store.is_lying = True

    def interrupt() -> None:
        if rng.random() < 0.3:
            rng.choice(writers).act()

    store.before_create = interrupt
    while any(writer.left for writer in writers):
        rng.choice(writers).act()
    store.is_lying = False
    return store, writers
