# SPDX-License-Identifier: Apache-2.0
"""What servers tell of themselves: bounded, by the store's clock, believed as far as it goes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry
from tabard_registry.content.replicas import (
    FORGOTTEN_SECONDS,
    REPLICAS_MAX,
    TEXT_CHARS_MAX,
    Replica,
    ReplicaBook,
)
from tabard_registry.errors import StoreUnavailable
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.garbage import collect
from tabard_registry.upkeep.transfer import export_registry
from tests.registry.evidence.reports import ANN
from tests.registry.fakes import MemoryStore

ONE = Replica(id="1" * 32, address="10.0.0.1:50051", version="1", seq=7, every_seconds=60.0)
TWO = replace(ONE, id="2" * 32, address="", host="two", version="2", lag_seconds=1.5)


@pytest.fixture
def store() -> MemoryStore:
    """A registry's."""
    made = MemoryStore()
    Registry.open(made)
    return made


def test_servers_are_seen_by_all(store: MemoryStore) -> None:
    """The latest first, each as it told last, with its age by the clock of the store."""
    book = ReplicaBook(store)
    book.tell(ONE)
    store.now = 30.0
    book.tell(replace(TWO, seq=6))
    book.tell(TWO)
    store.now = 40.0

    found = ReplicaBook(store).seen()

    assert [(one.replica, one.age_seconds) for one in found] == [(TWO, 10.0), (ONE, 40.0)]
    assert len([key for key in store.held if key.startswith("replica/")]) == 2


def test_server_that_ends_is_gone(store: MemoryStore) -> None:
    """Said twice it is the same."""
    book = ReplicaBook(store)
    book.tell(ONE)
    book.forget(ONE.id)
    book.forget(ONE.id)

    assert book.seen() == ()


def test_old_ones_are_removed(store: MemoryStore) -> None:
    """After a day, and the oldest of too many; other objects stay."""
    book = ReplicaBook(store)
    store.held["replica/mine.txt"] = b"mine"
    store.born["replica/mine.txt"] = 0.0
    book.tell(ONE)
    store.now = FORGOTTEN_SECONDS
    for number in range(REPLICAS_MAX + 3):
        store.now += 1.0
        book.tell(replace(TWO, id=f"{number:032x}"))

    assert len(book.seen()) == REPLICAS_MAX
    assert book.sweep() == 4
    assert (book.sweep(), len(book.seen())) == (0, REPLICAS_MAX)
    assert "replica/mine.txt" in store.held
    store.now += 2 * FORGOTTEN_SECONDS
    assert (book.sweep(), book.seen()) == (REPLICAS_MAX, ())


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b"[" * 5_000, None),
        (b"\xff", None),
        (b"x" * 9_000, None),
        (b"{}", {}),
        (b'{"v": 2, "version": "9", "colour": "red"}', {"version": "9"}),
        (b'{"id": "%s", "seq": true, "host": 3, "lag_seconds": NaN}' % (b"9" * 32), {}),
        (b'{"seq": -1, "rows_waiting": 1e99, "lag_seconds": 1e999}', {}),
        (b'{"host": "%s"}' % (b"h" * 999), {"host": "h" * TEXT_CHARS_MAX}),
        (b'{"host": "\\ud800"}', {"host": "?"}),
    ],
)
def test_what_others_write_is_not_believed(
    store: MemoryStore, said: bytes, found: dict[str, Any] | None
) -> None:
    """Of another version, damaged or hostile: what can be read counts, under its own name."""
    store.replace(f"replica/{ONE.id}.json", body=said)

    seen = [one.replica for one in ReplicaBook(store).seen()]

    assert seen == ([] if found is None else [Replica(id=ONE.id, **found)])


def test_nothing_is_told_where_no_registry_is(tmp_path: Path) -> None:
    """A folder that was moved away is not begun anew."""
    registry = Registry.open(str(tmp_path / "registry"))
    book = ReplicaBook(registry.store)
    book.tell(ONE)
    shutil.move(tmp_path / "registry", tmp_path / "moved")

    with pytest.raises(StoreUnavailable) as refused:
        book.tell(ONE)

    assert refused.value.reason == "REGISTRY_MISSING"
    assert not (tmp_path / "registry").exists()


def test_upkeep_leaves_it_alone(tmp_path: Path) -> None:
    """It is no finding, no garbage, and in no copy."""
    registry = Registry.open(str(tmp_path / "registry"))
    ReplicaBook(registry.store).tell(ONE)

    assert check_registry(registry, deep=True).findings == ()
    assert collect(registry, min_age_seconds=0, dry_run=False, author=ANN).blobs == 0
    export_registry(registry, tmp_path / "copy")
    export_registry(registry, tmp_path / "copy")

    assert ReplicaBook(Registry.open(str(tmp_path / "copy")).store).seen() == ()
    assert len(ReplicaBook(registry.store).seen()) == 1
    content = json.loads((tmp_path / "registry" / "replica" / f"{ONE.id}.json").read_bytes())
    assert content["v"] == 1
