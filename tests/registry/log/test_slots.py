# SPDX-License-Identifier: Apache-2.0
"""The log against a store that lies: lost answers, 409s, late writes, writers in between.

Everything is drawn from one seed: a failing run repeats to the bit.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tabard_registry import Author, acts
from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.log.slots import slot_key
from tests.registry.fakes import NAME, small_manifest
from tests.registry.log.lying_store import ACTS_PER_WRITER, WRITERS, LyingStore, Writer, simulate


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


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_changed_record_is_named(seq: int) -> None:
    """A record changed after it was written breaks the chain, or is seen at once."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    for _ in range(3):
        writer.act()
    key = slot_key(seq)
    store.held[key] = store.held[key].replace(b'"ann"', b'"bob"')

    if seq == 3:  # nothing follows it yet: only who read it before can tell
        with pytest.raises(CorruptRegistry) as caught:
            writer.act()
        assert slot_key(4) not in store.held
    else:
        with pytest.raises(CorruptRegistry) as caught:
            Writer(1, store, seed=0)
    assert caught.value.reason == "BROKEN_CHAIN"
    assert key in str(caught.value)
    assert "backup" in caught.value.hint


@pytest.mark.parametrize("records", [0, 2])
def test_log_that_is_gone_is_not_at_its_end(records: int) -> None:
    """An unmounted folder is empty: nothing new is read there, and nothing may be written there."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    for _ in range(records):
        writer.act()
    held = dict(store.held)

    store.held.clear()
    with pytest.raises(StoreUnavailable) as caught:
        writer.journal.catch_up()
    writer.act()
    assert caught.value.reason == "REGISTRY_MISSING"
    assert len(writer.acknowledged) == records
    assert not store.held

    store.held.update(held)
    writer.act()
    assert slot_key(records + 1) in store.held


def test_lost_tail_is_not_written_again() -> None:
    """Slots that were taken stay taken: another record there would be another history."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    writer.act()
    del store.held[slot_key(1)]

    with pytest.raises(CorruptRegistry) as caught:
        writer.act()
    assert caught.value.reason == "CORRUPT_RECORD"
    assert slot_key(2) not in store.held


def test_garbage_in_a_slot_is_named() -> None:
    """Bytes that are no record are damage, and a writer does not step over them."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    store.held[slot_key(1)] = b"garbage"

    with pytest.raises(CorruptRegistry, match=slot_key(1)):
        writer.journal.commit(acts.publish(small_manifest("1.0.0")), author=Author(actor="ann"))
    assert list(store.held) == ["format.json", slot_key(1)]
