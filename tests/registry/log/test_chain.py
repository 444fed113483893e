# SPDX-License-Identifier: Apache-2.0
"""Walking a log that may be broken: every slot is given, with what is wrong with it."""

import random

import pytest

from tabard_registry.log.chain import Link, links
from tabard_registry.log.records import RECORD_BYTES_MAX
from tabard_registry.log.slots import slot_key
from tabard_registry.place import open_place
from tests.registry.fakes import counted_ids
from tests.registry.log.lying_store import LyingStore, Writer


@pytest.fixture
def store() -> LyingStore:
    """A log of four records, in a store that tells the truth."""
    store = LyingStore(random.Random(0))
    writer = Writer(0, store, seed=0)
    for _ in range(4):
        writer.act()
    return store


def walked(store: LyingStore, *, until: int | None = None) -> list[Link]:
    """All links of the log."""
    genesis = open_place(store, new_id=counted_ids(), create=False).genesis
    return list(links(store, genesis=genesis, until=until))


def problems(store: LyingStore) -> dict[int, str]:
    """Position to reason of what is wrong."""
    return {link.seq: link.problem.reason for link in walked(store) if link.problem}


def test_sound_log_is_read_whole(store: LyingStore) -> None:
    """Each link is the bytes of its slot, their record and their key."""
    found = walked(store)

    assert [link.record.seq for link in found if link.record] == [1, 2, 3, 4]
    assert {link.key: link.content for link in found}.items() <= store.held.items()
    assert problems(store) == {}


def test_changed_record_breaks_the_next(store: LyingStore) -> None:
    """A record that can be read tells nothing of itself; who follows it does."""
    store.held[slot_key(2)] = store.held[slot_key(2)].replace(b'"ann"', b'"bob"')

    assert problems(store) == {3: "BROKEN_CHAIN"}
    assert len(walked(store)) == 4


def test_oversized_slot_hides_its_hash(store: LyingStore) -> None:
    """What follows bytes that were not read is compared with nothing."""
    store.held[slot_key(2)] = b" " * (RECORD_BYTES_MAX + 1)

    assert problems(store) == {2: "CORRUPT_RECORD"}
    assert walked(store)[1].content == b""


def test_record_of_another_slot_is_misplaced(store: LyingStore) -> None:
    """A record says itself where it belongs."""
    store.held[slot_key(4)] = store.held[slot_key(3)]

    assert problems(store) == {4: "CORRUPT_RECORD"}


@pytest.mark.parametrize(("until", "count"), [(0, 0), (2, 2), (9, 4)])
def test_walk_ends_where_it_is_told(store: LyingStore, until: int, count: int) -> None:
    """Or at the first empty slot."""
    assert len(walked(store, until=until)) == count
