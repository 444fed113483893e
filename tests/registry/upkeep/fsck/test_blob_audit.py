# SPDX-License-Identifier: Apache-2.0
"""Examining blobs: what is missing, changed, purged or left over."""

from dataclasses import replace

import pytest

from tabard_registry import Author, State, Version, acts, sha256_bytes
from tabard_registry.content.blobs import blob_key
from tabard_registry.errors import StoreUnavailable
from tabard_registry.log.slots import slot_key
from tabard_registry.release.release import summarise
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.garbage import collect
from tests.registry.fakes import (
    NAME,
    MemoryStore,
    ref,
)
from tests.registry.upkeep.fsck.damage import blob_of, dies, examined, flip, only, reopened, store

__all__ = ["store"]


def test_missing_blob_is_named(store: MemoryStore) -> None:
    """With the release that needs it."""
    key = blob_of(store, "1.1.0")
    del store.held[key]

    report = examined(store)

    assert only(report).key == key
    assert f"{NAME}@1.1.0" in only(report).problem
    assert report.blobs == 8


def test_missing_manifest_is_named(store: MemoryStore) -> None:
    """Manifests are blobs too."""
    key = blob_key(reopened(store).state.resolve(ref("1.1.0")).digest)
    store.held[key] = b""

    assert only(examined(store)).key == key


def test_truncated_blob_is_named(store: MemoryStore) -> None:
    """A size that cannot be is found without reading the bytes."""
    key = blob_of(store, "1.1.0")
    store.held[key] = store.held[key][:-1]

    assert only(examined(store)).key == key


def test_changed_blob_needs_depth(store: MemoryStore) -> None:
    """A bit that flipped in a blob is found when the bytes are hashed, and only then."""
    key = blob_of(store, "1.1.0")
    flip(store, key)

    shallow, deep = examined(store), examined(store, deep=True)

    assert shallow.is_sound
    assert only(deep).key == key


def test_lagging_listing_is_no_loss(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that a listing leaves out is asked for by name before it is called missing."""
    key = blob_of(store, "1.1.0")
    objects = store.objects
    monkeypatch.setattr(
        store, "objects", lambda prefix: (one for one in objects(prefix) if one.key != key)
    )

    report = check_registry(store, deep=True, workers=1)

    assert report.is_sound and report.blobs == 9


def test_interrupted_purge_is_found(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that a purge did not get rid of are an error, until the purge is repeated."""
    registry = reopened(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", dies)
        with pytest.raises(StoreUnavailable):
            registry.purge(ref("1.2.0"), author=Author(actor="ann", reason="consent withdrawn"))

    before = examined(store)
    registry.purge(ref("1.2.0"), author=Author(actor="ann", reason="consent withdrawn"))

    assert (before.errors, before.blobs) == (3, 6)
    assert all("purged" in one.problem for one in before.findings)
    assert examined(store).is_sound


def test_crashed_collection_is_told(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open collection and what it left are warnings: nothing is lost."""
    registry = reopened(store)
    digest = registry.blobs.put_bytes(b"garbage")
    idle = examined(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", dies)
        with pytest.raises(StoreUnavailable):
            collect(
                registry,
                min_age_seconds=0,
                dry_run=False,
                author=Author(actor="cleaner"),
                workers=1,
            )

    report = examined(store)

    assert "1 blobs, 7 bytes" in only(idle, severity="info").problem
    assert report.is_sound
    assert [one.key for one in report.findings] == [slot_key(11), blob_key(digest)]
    assert {one.severity for one in report.findings} == {"warning"}


def test_odd_blob_keys_are_told(store: MemoryStore) -> None:
    """Keys that name no blob, or a collection that never was."""
    odd = {"blob/notes.txt", blob_key(sha256_bytes(b"x"), generation=3)}
    store.held |= dict.fromkeys(odd, b"x")

    report = examined(store)

    assert report.is_sound
    assert {one.key for one in report.findings} == odd


def test_lying_record_needs_depth(store: MemoryStore) -> None:
    """A record that says something else of a release than its manifest: only reading it tells."""
    registry = reopened(store)
    manifest = registry.manifest(registry.state.resolve(ref("1.0.0")).digest)
    other = replace(manifest, version=Version.parse("7.0.0"))
    registry.blobs.put_bytes(other.to_bytes())
    lie = replace(other, base_fingerprint=str(sha256_bytes(b"another base")))
    honest = acts.publish(other, gc_seq=registry.state.gc_seq)
    summary = summarise(lie)

    def plan(state: State) -> acts.Plan:
        action = honest.plan(state).action
        assert action is not None
        return acts.Plan(action=replace(action, summary=summary))

    registry.commit(replace(honest, plan=plan), author=Author(actor="mallory"))

    shallow, deep = examined(store), examined(store, deep=True)

    assert shallow.is_sound
    assert only(deep).key == slot_key(11)
