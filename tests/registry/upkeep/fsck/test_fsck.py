# SPDX-License-Identifier: Apache-2.0
"""Examining a registry: sound ones pass, and every kind of damage is named with its remedy."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, acts, sha256_bytes
from tabard_registry.errors import UnusableRegistry
from tabard_registry.log.records import RECORD_VERSION_MAX, Record
from tabard_registry.log.slots import slot_key
from tabard_registry.release.history import HistoryEntry
from tabard_registry.upkeep.fsck.fsck import check_registry, content_digest
from tests.registry.fakes import MemoryStore, publish, ref
from tests.registry.upkeep.fsck.damage import checkpoint_of, examined, flip, only, reopened, store

__all__ = ["store"]


@pytest.mark.parametrize("deep", [False, True])
def test_sound_registry_passes(store: MemoryStore, deep: bool) -> None:
    """Nothing is said of a registry in which everything is as it should be."""
    report = examined(store, deep=deep)

    assert report.is_sound and report.findings == () and report.deep == deep
    assert (report.seq, report.records, report.checkpoints) == (10, 10, 1)
    assert (report.blobs, report.registry_id) == (9, "id-1")


def test_open_registry_is_examined(registry: Registry, tmp_path: Path) -> None:
    """A registry in a folder, by its object and by its address, with threads and progress."""
    publish(registry, "1.0.0", folder=tmp_path)
    told: list[str] = []

    by_object = check_registry(
        registry, deep=True, progress=lambda what, _done, _total: told.append(what)
    )
    by_address = check_registry(registry.url, deep=True)

    assert by_object == by_address
    assert by_object.is_sound and by_object.blobs == 3
    assert {"reading the log", "listing blobs", "hashing blobs"} <= set(told)


def test_empty_registry_passes() -> None:
    """There is nothing to find before the first record."""
    store = MemoryStore()
    reopened(store)

    assert examined(store, deep=True).findings == ()


@pytest.mark.parametrize("seq", [1, 5, 10])
@pytest.mark.parametrize("at", [1, -9, 60])
def test_changed_record_is_found(store: MemoryStore, seq: int, at: int) -> None:
    """A bit that flipped in any record breaks it, or the chain after it, or at the tip its checks.

    The last record is in no chain yet: a bit there is found when the record cannot be read.
    """
    flip(store, slot_key(seq), at=at)

    report = examined(store)

    if seq == 10 and report.is_sound:
        return
    near = {slot_key(seq), slot_key(seq + 1)}
    assert near & {one.key for one in report.findings if one.severity == "error"}


def test_unreadable_record_is_named_once(store: MemoryStore) -> None:
    """What follows a broken record is still read, and the report says what was not compared."""
    store.held[slot_key(5)] = b"{}"

    report = examined(store)

    errors = [one.key for one in report.findings if one.severity == "error"]
    assert errors == [slot_key(5), slot_key(6)]  # the next one does not follow these bytes
    assert (report.seq, report.records) == (4, 10)
    assert only(report, severity="warning").key == slot_key(5)


def test_oversized_record_is_named(store: MemoryStore) -> None:
    """A slot that holds too many bytes is one broken record, not the end of the examination."""
    store.held[slot_key(3)] = b" " * (1 << 20)

    report = examined(store)

    assert slot_key(3) in {one.key for one in report.findings if one.severity == "error"}
    assert report.records == 10


def test_missing_record_is_named(store: MemoryStore) -> None:
    """A hole in the log is told from its end by what lies beyond it."""
    reopened(store).unyank(ref("1.2.0"), author=Author(actor="ann", reason="fine"))
    del store.held[slot_key(10)]

    report = examined(store)

    assert only(report).key == slot_key(10)
    assert "1 records after it" in only(report).problem


def test_lost_tail_is_found(store: MemoryStore) -> None:
    """A log that ends before its checkpoint has lost records."""
    for seq in (8, 9, 10):
        del store.held[slot_key(seq)]

    report = examined(store)

    assert checkpoint_of(store) in {one.key for one in report.findings}
    assert not report.is_sound


def test_stranger_in_the_log_is_named(store: MemoryStore) -> None:
    """What lies in the log and is no slot is worth a word."""
    store.held["log/notes.txt"] = b"mine"

    assert only(examined(store), severity="warning").key == "log/notes.txt"


def test_stranger_in_the_place_is_named(store: MemoryStore) -> None:
    """So is what lies beside the registry."""
    store.held["holidays.jpg"] = b"mine"

    assert "holidays.jpg" in only(examined(store), severity="warning").problem


def test_damaged_format_is_named(store: MemoryStore) -> None:
    """Without format.json nothing else can be examined."""
    store.held["format.json"] = b"{"

    report = examined(store)

    assert (only(report).key, report.records) == ("format.json", 0)


def test_place_without_registry_is_refused() -> None:
    """An empty place is not examined, and not made into a registry."""
    store = MemoryStore()

    with pytest.raises(UnusableRegistry):
        check_registry(store, deep=False)
    assert store.held == {}


def test_damaged_checkpoint_is_named(store: MemoryStore) -> None:
    """A bit that flipped in a checkpoint is found; the registry works without it."""
    flip(store, checkpoint_of(store), at=300)

    report = examined(store)

    assert {checkpoint_of(store)} == {o.key for o in report.findings if o.severity == "error"}
    assert (report.seq, report.checkpoints) == (10, 0)


def test_lying_checkpoint_is_named(store: MemoryStore) -> None:
    """A checkpoint whose hash is right and whose content is not what the log says."""
    content = gzip.decompress(store.held.pop(checkpoint_of(store)))
    lie = content.replace(b"consent withdrawn", b"consent was given")
    key = f"checkpoint/{9:020d}-{sha256_bytes(lie).hex}.json.gz"
    store.held[key] = gzip.compress(lie)
    store.held["hint.json"] = b'{"checkpoint":"%s","seq":9}' % key.encode()

    report = examined(store)

    assert {key, "state"} == {one.key for one in report.findings if one.severity == "error"}


def test_wrong_state_in_memory_is_found(store: MemoryStore) -> None:
    """An open registry whose state is not what the log says is told from the log."""
    registry = reopened(store)
    state = registry.state
    registry._journal._state = replace(state, denied=frozenset())

    report = check_registry(registry, deep=False, workers=1)

    assert "state" in {one.key for one in report.findings if one.severity == "error"}


def test_useless_hint_is_named(store: MemoryStore) -> None:
    """A hint that names nothing is worth a word, and so is one that cannot be read."""
    for content in (b"{}", b"nonsense", b'{"checkpoint":"checkpoint/none"}'):
        store.held["hint.json"] = content

        assert only(examined(store), severity="warning").key == "hint.json"


def test_newer_records_are_named(store: MemoryStore) -> None:
    """A record of a newer Tabard stops the fold there; the report says so."""
    store.held[slot_key(10)] = store.held[slot_key(10)].replace(
        b'"v":1', f'"v":{RECORD_VERSION_MAX + 1}'.encode()
    )

    with pytest.raises(UnusableRegistry, match="newer"):
        examined(store)


def test_wrong_index_is_found(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A derived index that tells another history than the log does."""
    registry = reopened(store)
    true = registry.queries.history
    cases: list[Callable[[], tuple[HistoryEntry, ...]]] = [
        lambda: true()[1:],
        lambda: (*true(), replace(true()[0], actor="mallory")),
    ]
    for told in cases:
        monkeypatch.setattr(registry.queries, "history", told)

        assert only(check_registry(registry, deep=False, workers=1)).key == "index"


def test_content_is_that_of_checkpoints(store: MemoryStore) -> None:
    """The hash of a state is the one in its checkpoint's name, however the state arose."""
    registry = reopened(store)
    key = registry.checkpoints.write(registry.state)

    assert content_digest(registry.state).hex in key
    assert content_digest(reopened(store).state).hex in key


def test_growing_log_is_no_hole(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that others write while the log is examined are not called lost."""
    registry, other = reopened(store), reopened(store)
    objects = store.objects

    def grown(prefix: str) -> object:
        if prefix == "log/":
            other.unyank(ref("1.2.0"), author=Author(actor="ann", reason="fine"))
        return objects(prefix)

    monkeypatch.setattr(store, "objects", grown)

    report = check_registry(registry, deep=False, workers=1)

    assert (report.findings, report.seq) == ((), 10)


def test_invalid_acts_are_no_damage(store: MemoryStore) -> None:
    """A record that changes nothing is part of history, not of the damage."""
    registry = reopened(store)
    act = acts.end_collection(99)
    assert registry.commit(act, author=Author(actor="ann")) is None
    record = Record(
        seq=11, prev=registry.state.head, id="odd", time="2026-01-01T00:00:00Z", actions=()
    )
    store.create(slot_key(11), body=record.to_bytes())

    report = examined(store)

    assert (report.findings, report.seq) == ((), 11)
