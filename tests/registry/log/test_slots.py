# SPDX-License-Identifier: Apache-2.0
"""The log against a store that lies: lost answers, 409s, late writes, writers in between.

Everything is drawn from one seed: a failing run repeats to the bit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tabard_registry import Author, acts
from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.journal.journal import Journal
from tabard_registry.log.slots import Log, LogLimits, slot_key
from tabard_registry.place import open_place
from tabard_registry.state.fold import empty_state
from tabard_registry.state.state import State
from tabard_registry.store import Outcome
from tests.registry.fakes import (
    NAME,
    MemoryStore,
    counted_ids,
    fixed_clock,
    small_manifest,
)

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


@pytest.mark.parametrize("seed", range(60))
def test_acknowledged_act_is_there_once(seed: int) -> None:
    """What was acknowledged is in the log exactly once, and nothing is there twice."""
    store, writers = simulate(seed)

    reader = Writer(99, store, seed=0).journal
    counts = Counter(applied.record.reason for applied in reader.applied())
    acknowledged = [label for writer in writers for label in writer.acknowledged]
    assert set(counts.values()) == {1}
    assert set(acknowledged) <= set(counts)
    assert len(acknowledged) > WRITERS * ACTS_PER_WRITER // 2


@pytest.mark.parametrize("seed", range(10))
def test_all_writers_read_one_chain(seed: int) -> None:
    """After the faults, every writer comes to the same state."""
    _, writers = simulate(seed)

    for writer in writers:
        writer.journal.catch_up()

    states = [writer.journal.state for writer in writers]
    assert all(state == states[0] for state in states)
    assert len(states[0].adapters[NAME].by_version) == states[0].seq


def test_unknown_commit_is_said() -> None:
    """A slot that looks empty for ever ends in COMMIT_UNKNOWN, not in another slot."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    store.create = lambda key, *, body: Outcome.UNKNOWN  # type: ignore[method-assign]

    with pytest.raises(StoreUnavailable) as caught:
        writer.journal.commit(acts.publish(small_manifest("1.0.0")), author=Author(actor="ann"))

    assert caught.value.reason == "COMMIT_UNKNOWN"
    assert "same request id" in caught.value.hint
    assert writer.journal.state.seq == 0


def test_repeat_after_unknown_acts_once() -> None:
    """An act repeated with its request id finds the record that landed late."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    late: list[tuple[str, bytes]] = []
    reliable = store.create

    def unknown(key: str, *, body: bytes) -> Outcome:
        late.append((key, body))
        return Outcome.UNKNOWN

    act, author = acts.publish(small_manifest("1.0.0")), Author(actor="ann", request_id="r")
    store.create = unknown  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        writer.journal.commit(act, author=author)
    store.create = reliable  # type: ignore[method-assign]
    store.create(late[0][0], body=late[0][1])

    found = writer.journal.commit(act, author=author)

    assert found is not None and found.seq == 1
    assert writer.journal.state.seq == 1


def test_contention_is_bounded() -> None:
    """A writer that always loses gives up with a typed error and has written nothing."""
    store = LyingStore(random.Random(0))
    loser, winner = Writer(0, store, seed=0), Writer(1, store, seed=0)
    winner.left = [f"act {i}" for i in range(600)]
    store.is_lying = True
    store.before_create = winner.act
    store._rng = random.Random(0)
    store._rng.random = lambda: 0.99  # type: ignore[method-assign]

    with pytest.raises(StoreUnavailable) as caught:
        loser.journal.commit(PUBLISH_NEXT, author=Author(actor="ann", reason="lost"))

    assert caught.value.reason == "CONTENTION"
    assert all(applied.record.reason != "lost" for applied in loser.journal.applied())


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_changed_record_is_named(seq: int) -> None:
    """A record changed after it was written breaks the chain, or is seen at once."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    for _ in range(3):
        writer.act()
    key = slot_key(seq)
    store.held[key] = store.held[key].replace(b'"ann"', b'"bob"')

    if seq == 3:  # nothing follows it yet: the next record will tell
        writer.act()
    with pytest.raises(CorruptRegistry) as caught:
        Writer(1, store, seed=0)
    assert caught.value.reason == "BROKEN_CHAIN"
    assert key in str(caught.value)
    assert "backup" in caught.value.hint


def test_garbage_in_a_slot_is_named() -> None:
    """Bytes that are no record are damage, and a writer does not step over them."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    store.held[slot_key(1)] = b"garbage"

    with pytest.raises(CorruptRegistry, match=slot_key(1)):
        writer.journal.commit(acts.publish(small_manifest("1.0.0")), author=Author(actor="ann"))
    assert list(store.held) == ["format.json", slot_key(1)]
