# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: what it deletes, and what it leaves alone."""

from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tabard_registry.errors import InvalidField
from tabard_registry.upkeep.garbage import (
    CHECKPOINTS_KEPT,
    KEYS_NAMED_MAX,
    MIN_AGE_SECONDS,
    collect,
)
from tabard_registry.upkeep.inventory import read_blob_key
from tests.registry.fakes import publish
from tests.registry.upkeep.garbage_buckets import (
    Bucket,
    abandon,
    assert_served,
    blobs_in,
    bucket,
    opened,
    run,
)

__all__ = ["bucket"]

OLD = MIN_AGE_SECONDS + 1


def test_unneeded_bytes_are_deleted(bucket: Bucket, tmp_path: Path) -> None:
    """What a release needs stays, what none needs goes, and two records say so."""
    registry = opened(bucket)
    kept = publish(registry, "1.0.0", folder=tmp_path)
    needed = blobs_in(bucket)
    garbage = abandon(registry, seed=5, folder=tmp_path)
    bucket.now = OLD

    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (done.blobs, done.spared, done.young) == (len(garbage), 0, 0)
    assert (done.collections, registry.state.gc_open) == ((2,), frozenset())
    assert [r.record.actions[0].type for r in registry.since(1)] == ["gc_intent", "gc_done"]
    assert blobs_in(bucket) == needed
    assert_served(bucket, kept)


def test_dry_run_changes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    """It tells what a run would do, down to the bytes, and writes nothing."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    abandon(registry, seed=5, folder=tmp_path)
    before = dict(bucket.held)

    told = run(registry, dry_run=True)
    held_after = dict(bucket.held)
    done = run(registry)

    assert held_after == before
    assert told.dry_run and not done.dry_run
    assert (told.blobs, told.freed_bytes, told.keys) == (done.blobs, done.freed_bytes, done.keys)
    assert set(told.keys) == before.keys() - bucket.held.keys()


def test_young_bytes_are_left_alone(bucket: Bucket, tmp_path: Path) -> None:
    """The store's clock decides, and nothing is written when there is nothing to do."""
    registry = opened(bucket)
    garbage = abandon(registry, seed=5, folder=tmp_path)
    bucket.now = MIN_AGE_SECONDS - 1

    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (done.blobs, done.young, done.collections) == (0, len(garbage), ())
    assert (len(blobs_in(bucket)), registry.seq) == (len(garbage), 0)


def test_superfluous_checkpoints_are_pruned(bucket: Bucket, tmp_path: Path) -> None:
    """The newest ones stay, and so do younger ones."""
    registry = opened(bucket)
    for patch in range(CHECKPOINTS_KEPT + 2):
        publish(registry, f"1.0.{patch}", folder=tmp_path)
        registry.checkpoint()
    newest = registry.checkpoints.keys()[:CHECKPOINTS_KEPT]
    bucket.now = OLD - 2

    early = run(registry, min_age_seconds=MIN_AGE_SECONDS)
    bucket.now = OLD
    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (early.checkpoints, done.checkpoints) == (0, 2)
    assert registry.checkpoints.keys() == newest
    assert opened(bucket).records_since_checkpoint == 0


def test_doctors_leftovers_are_removed(bucket: Bucket) -> None:
    """Old probes go; format, log, hint and what nobody knows are never touched."""
    registry = opened(bucket)
    bucket.create("doctor/a/race", body=b"x")
    bucket.replace("hint.json", body=b"{}")
    bucket.put("blob/notes.txt", chunks=[b"mine"])
    bucket.now = OLD
    bucket.create("doctor/b/race", body=b"x")

    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (done.probes, done.keys) == (1, ("doctor/a/race",))
    assert bucket.held.keys() == {"format.json", "doctor/b/race", "hint.json", "blob/notes.txt"}


def test_folder_registry_is_collected(registry: Registry, tmp_path: Path) -> None:
    """On a real folder, with several threads."""
    kept = publish(registry, "1.0.0", folder=tmp_path)
    abandon(registry, seed=5, folder=tmp_path)

    done = collect(registry, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"))

    assert done.blobs == 3
    left = {read_blob_key(one.key) for one in registry.store.objects("blob/")}
    assert left == {(digest, 0) for digest in kept.release.blobs}


def test_many_digests_take_many_records(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record condemns a bounded number of digests, and a report names a bounded number."""
    monkeypatch.setattr("tabard_registry.upkeep.garbage.DIGESTS_PER_COLLECTION_MAX", 60)
    registry = opened(bucket)
    for number in range(KEYS_NAMED_MAX + 50):
        registry.blobs.put_bytes(b"garbage %d" % number)

    done = run(registry)

    assert (done.blobs, len(done.collections)) == (KEYS_NAMED_MAX + 50, 3)
    assert (len(done.keys), blobs_in(bucket)) == (KEYS_NAMED_MAX, set())


@pytest.mark.parametrize(("actor", "age"), [("", 0.0), ("cleaner", -1.0)])
def test_collection_needs_actor_and_age(bucket: Bucket, actor: str, age: float) -> None:
    """Who collects is in the history; an age is not negative."""
    with pytest.raises(InvalidField):
        collect(opened(bucket), min_age_seconds=age, dry_run=True, author=Author(actor=actor))
