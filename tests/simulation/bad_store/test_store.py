# SPDX-License-Identifier: Apache-2.0
"""The faulty store does to each request what its fate says, and tells the caller no more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.store import Outcome
from tests.simulation.bad_store.fault_rates import CALM, Fate
from tests.simulation.bad_store.scheduler import Crashed
from tests.simulation.bad_store.store import FaultyStore
from tests.simulation.process import World

KEY = "log/1"


def attempt(fate: Fate, ask: Callable[[FaultyStore], object]) -> tuple[World, object]:
    """Make one request that has a fate; return the world when all is quiet, and the answer."""
    world = World(0)
    rates = replace(CALM, faults={fate: 1.0})
    store = world.store("caller", rates=rates)
    answers: list[object] = []

    def actor() -> None:
        try:
            answers.append(ask(store))
        except StoreUnavailable as error:
            answers.append(error.reason)

    world.scheduler.spawn(actor)
    world.scheduler.run()
    return world, answers[0]


@pytest.mark.parametrize(
    ("fate", "answer", "is_there"),
    [
        (Fate.DONE, Outcome.CREATED, True),
        (Fate.LOST, Outcome.UNKNOWN, False),
        (Fate.LOST_ANSWER, Outcome.UNKNOWN, True),
        (Fate.LATE, Outcome.UNKNOWN, True),
        (Fate.TWICE, Outcome.CREATED, True),
        (Fate.REPEATED, Outcome.OCCUPIED, True),
        (Fate.MISTAKEN, Outcome.OCCUPIED, False),
        (Fate.REFUSED, "STORE_UNAVAILABLE", False),
    ],
)
def test_create_meets_its_fate(fate: Fate, answer: object, is_there: bool) -> None:
    """What is in the bucket in the end, and what the caller was told."""
    world, told = attempt(fate, lambda store: store.create(KEY, body=b"x"))

    assert told == answer
    assert (KEY in world.bucket.objects) == is_there


@pytest.mark.parametrize("fate", Fate)
def test_put_is_there_when_it_said_so(fate: Fate) -> None:
    """A put either raises or has stored; it may also have stored and raise."""
    world, told = attempt(fate, lambda store: store.put("blob/1", chunks=[b"x"]))

    assert told == "STORE_UNAVAILABLE" or world.bucket.objects == {"blob/1": b"x"}


def test_late_delete_hits_what_came_meanwhile() -> None:
    """A delete whose caller has given up is carried out all the same."""
    world, told = attempt(Fate.LATE, lambda store: store.delete("blob/1"))
    assert told == "STORE_UNAVAILABLE"

    events = [event[2:] for event in world.events]

    assert events == [("delete", "blob/1", "late"), ("delete", "blob/1", "applied late")]


def test_dead_process_asks_for_nothing() -> None:
    """After a crash, nothing that unwinds reaches the bucket."""
    world = World(0)
    store = world.store("caller", rates=replace(CALM, crash=1.0))
    with pytest.raises(Crashed):
        store.read(KEY, bytes_max=1)

    with pytest.raises(Crashed):
        store.create(KEY, body=b"x")

    assert world.bucket.objects == {}


def test_log_is_never_deleted_in_silence() -> None:
    """A delete or a rewrite of a slot is a crime, whoever does it."""
    world, _ = attempt(Fate.DONE, lambda store: store.delete(KEY))

    assert world.bucket.crimes == [f"{KEY} was deleted"]
