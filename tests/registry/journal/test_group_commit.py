# SPDX-License-Identifier: Apache-2.0
"""Acts of several callers in one record."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tabard_registry import Author, acts
from tabard_registry.errors import AlreadyExists, RegistryError
from tabard_registry.journal.group_commit import WaitingAct, plan_group
from tabard_registry.journal.journal import Journal
from tabard_registry.log.records import ACTIONS_MAX, RECORD_BYTES_MAX, Record
from tabard_registry.log.slots import Log, LogLimits
from tabard_registry.place import open_place
from tabard_registry.registry import Registry
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.state import State
from tabard_registry.store.store import Outcome
from tests.registry.fakes import MemoryStore, counted_ids, fixed_clock, ref, small_manifest


def waiting(act: acts.Act[object], *, actor: str = "ann", request_id: str = "") -> WaitingAct:
    """An act of somebody, on its way."""
    return WaitingAct(act=act, author=Author(actor=actor, reason="test", request_id=request_id))


def publication(version: str) -> acts.Act[object]:
    """An act that publishes a version."""
    return acts.publish(small_manifest(version))


def start() -> State:
    """An empty state."""
    place = open_place(MemoryStore(), new_id=counted_ids(), create=True)
    return empty_state(registry_id=place.registry_id, genesis=place.genesis)


def test_acts_build_on_each_other() -> None:
    """An act sees what the acts before it in the record do."""
    promotion = acts.promote(ref("1.0.0"), channel="stable", expect=None)

    group = plan_group([waiting(publication("1.0.0")), waiting(promotion)], state=start())

    assert [action.type for action in group.actions] == ["publish", "promote"]
    record = Record(seq=1, prev=start().head, id="a", time="", actions=tuple(group.actions))
    state, applied = fold(start(), [(record, start().head)])
    assert all(effect.effective for effect in applied[0].effects)
    assert str(state.resolve(ref("stable")).version) == "1.0.0"


def test_refused_act_leaves_its_neighbours() -> None:
    """An act that cannot be is refused alone."""
    wrong = acts.promote(ref("9.0.0"), channel="stable", expect=None)

    group = plan_group(
        [waiting(publication("1.0.0")), waiting(wrong), waiting(publication("2.0.0"))],
        state=start(),
    )

    assert [action.version for action in group.actions] == ["1.0.0", "2.0.0"]
    assert [error.reason for _, error in group.refused] == ["RELEASE_NOT_FOUND"]


def test_record_is_never_too_large() -> None:
    """What does not fit into a record waits for the next one."""
    large = replace(small_manifest("1.0.0"), notes="ü" * 8_000)
    many = [
        waiting(acts.publish(replace(large, version=small_manifest(f"{n}.0.0").version)))
        for n in range(ACTIONS_MAX)
    ]

    group = plan_group(many, state=start())

    record = Record(seq=1, prev=start().head, id="a", time="", actions=tuple(group.actions))
    assert len(record.to_bytes()) <= RECORD_BYTES_MAX
    assert 1 < len(group.actions) < ACTIONS_MAX
    assert len(group.actions) + len(group.postponed) == ACTIONS_MAX


class SlowStore(MemoryStore):
    """A store whose first create waits until the test has seen everybody in line."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.creates: list[str] = []

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Wait at the first record."""
        self.creates.append(key)
        if len(self.creates) == 2:
            self.entered.set()
            assert self.gate.wait(timeout=30)
        return super().create(key, body=body)


def journal_on(store: MemoryStore) -> Journal:
    """A journal on a store."""
    place = open_place(store, new_id=counted_ids("r"), create=True)
    limits = LogLimits()
    return Journal(
        empty_state(registry_id=place.registry_id, genesis=place.genesis),
        log=Log(store, limits=limits, sleep=lambda _: None, rng=random.Random(0)),
        limits=limits,
        clock=fixed_clock(),
        new_id=counted_ids("w"),
    )


def commit_all(journal: Journal, crowd: Sequence[WaitingAct]) -> list[threading.Thread]:
    """Commit each act in a thread of its own; errors are kept in the petition."""

    def act(one: WaitingAct) -> None:
        try:
            one.answer(journal.commit(one.act, author=one.author))
        except RegistryError as error:
            one.answer(error=error)

    threads = [threading.Thread(target=act, args=(one,)) for one in crowd]
    for thread in threads:
        thread.start()
    return threads


def test_waiting_callers_share_a_record() -> None:
    """Callers who wait while a record is written come together into the next one."""
    store = SlowStore()
    journal = journal_on(store)
    first = commit_all(journal, [waiting(publication("1.0.0"))])
    assert store.entered.wait(timeout=30)
    others = [waiting(publication(f"{n}.0.0"), actor=f"caller {n}") for n in range(2, 12)]
    threads = commit_all(journal, others)
    while len(journal._waiting) < len(others):
        threading.Event().wait(0.001)

    store.gate.set()
    for thread in (*first, *threads):
        thread.join(timeout=30)

    assert journal.state.seq == 2
    assert all(one.landed and one.landed.seq == 2 for one in others)
    assert [one.landed.action.actor for one in others if one.landed] == [
        f"caller {n}" for n in range(2, 12)
    ]


def test_one_request_id_acts_once_in_a_crowd() -> None:
    """Two callers with one request id never act twice, even when they wait together."""
    store = SlowStore()
    journal = journal_on(store)
    first = commit_all(journal, [waiting(publication("1.0.0"))])
    assert store.entered.wait(timeout=30)
    same = [waiting(publication("2.0.0"), request_id="r") for _ in range(2)]
    other = [waiting(publication("3.0.0"), request_id="r")]
    threads = commit_all(journal, [*same, *other])
    while len(journal._waiting) < 3:
        threading.Event().wait(0.001)

    store.gate.set()
    for thread in (*first, *threads):
        thread.join(timeout=30)

    landed = [one.landed.seq for one in (*same, *other) if one.landed]
    assert set(landed) == {2}
    refused = [one.error for one in (*same, *other) if one.error]
    assert all(isinstance(error, AlreadyExists) for error in refused)
    assert len(journal.state.adapters[small_manifest("1.0.0").adapter].by_version) == 2


def test_history_tells_acts_of_one_record_apart(registry: Registry) -> None:
    """Acts that share a record keep their own actor and reason after a restart."""
    journal = registry._journal
    group = [waiting(publication(f"{n}.0.0"), actor=f"caller {n}") for n in range(3)]
    journal._serve(group)

    reopened = Registry.open(registry.url)

    assert reopened.seq == 1
    told = [entry.actor for entry in reopened.queries.history(small_manifest("1.0.0").adapter)]
    assert told == ["caller 0", "caller 1", "caller 2"]


@pytest.mark.parametrize("count", [1, ACTIONS_MAX, ACTIONS_MAX + 1])
def test_every_caller_is_answered(count: int) -> None:
    """However many come at once, each gets its own answer."""
    journal = journal_on(MemoryStore())
    crowd = [waiting(publication(f"{n}.0.0")) for n in range(count)]

    for thread in commit_all(journal, crowd):
        thread.join(timeout=60)

    assert all(one.landed for one in crowd)
    assert len(journal.state.adapters[small_manifest("1.0.0").adapter].by_version) == count
