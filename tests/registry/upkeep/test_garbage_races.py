# SPDX-License-Identifier: Apache-2.0
"""Collections beside publishers, other collectors and crashes: no release ever loses its bytes."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tabard_registry import (
    Author,
    Published,
    Registry,
    acts,
    sha256_file,
)
from tabard_registry.content.blobs import blob_key
from tabard_registry.errors import PreconditionFailed, StoreUnavailable
from tabard_registry.upkeep.garbage import MIN_AGE_SECONDS
from tabard_registry.upkeep.inventory import read_blob_key
from tests.registry.fakes import (
    publish,
    ref,
    small_lora,
    small_manifest,
)
from tests.registry.upkeep.garbage_buckets import (
    Bucket,
    abandon,
    assert_served,
    blobs_in,
    bucket,
    opened,
    republish,
    run,
)

__all__ = ["bucket"]


def test_same_bytes_can_come_back(bucket: Bucket, tmp_path: Path) -> None:
    """They are stored under the key of a new generation, and collected again when unneeded."""
    registry = opened(bucket)
    garbage = abandon(registry, seed=5, folder=tmp_path)
    run(registry)

    published = republish(registry, seed=5, folder=tmp_path)

    assert blobs_in(bucket) == {blob_key(digest, generation=1) for digest in garbage}
    assert_served(bucket, published)
    assert run(registry).blobs == 0


def test_late_delete_misses_returned_bytes(bucket: Bucket, tmp_path: Path) -> None:
    """A delete that the store carries out after the bytes came back hits nothing."""
    registry = opened(bucket)
    abandon(registry, seed=5, folder=tmp_path)
    bucket.holds_back = True
    run(registry)
    published = republish(registry, seed=5, folder=tmp_path)

    bucket.deliver()

    assert_served(bucket, published)


def _storing_then(registry: Registry, then: Callable[[], object]) -> None:
    """Let something happen between the storing of a publisher's bytes and his commit."""
    commit = registry.commit
    calls = [then]

    def late(act: acts.Act, *, author: Author) -> object:
        while calls:
            calls.pop()()
        return commit(act, author=author)

    registry.commit = late  # type: ignore[assignment, method-assign]


def test_publish_before_intent_is_spared(bucket: Bucket, tmp_path: Path) -> None:
    """A release that lands between the look and the intent keeps its bytes."""
    collector, publisher = opened(bucket, "collector"), opened(bucket, "publisher")
    garbage = abandon(publisher, seed=5, folder=tmp_path)
    landed: list[Published] = []
    _storing_then(collector, lambda: landed.append(republish(publisher, seed=5, folder=tmp_path)))

    done = run(collector)

    assert (done.blobs, done.spared, done.collections) == (0, len(garbage), ())
    assert_served(bucket, landed[0])


def test_publish_between_intent_and_delete(bucket: Bucket, tmp_path: Path) -> None:
    """A release that lands after the intent and before the deletes does not lose its bytes."""
    collector, publisher = opened(bucket, "collector"), opened(bucket, "publisher")
    abandon(publisher, seed=5, folder=tmp_path)
    landed: list[Published] = []
    bucket.before_delete = lambda: landed.append(republish(publisher, seed=5, folder=tmp_path))

    done = run(collector)

    assert (done.blobs, len(landed)) == (3, 1)
    assert_served(bucket, landed[0])


def test_publish_across_whole_collection(bucket: Bucket, tmp_path: Path) -> None:
    """Who found his bytes there before a collection, and commits after it, stores them anew."""
    collector, publisher = opened(bucket, "collector"), opened(bucket, "publisher")
    garbage = abandon(publisher, seed=5, folder=tmp_path)
    _storing_then(publisher, lambda: run(collector))

    published = republish(publisher, seed=5, folder=tmp_path)

    assert blobs_in(bucket) == {blob_key(digest, generation=1) for digest in garbage}
    assert_served(bucket, published)


def test_old_knowledge_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    """The log refuses a publish that was prepared before a collection."""
    registry = opened(bucket)
    act = acts.publish(small_manifest("1.0.0"), gc_seq=registry.state.gc_seq)
    abandon(registry, seed=5, folder=tmp_path)
    run(registry)

    with pytest.raises(PreconditionFailed) as caught:
        registry.commit(act, author=Author(actor="ann"))

    assert caught.value.reason == "BYTES_COLLECTED"


@pytest.mark.parametrize("deletes", [0, 1, 2])
def test_crashed_collection_is_finished(bucket: Bucket, tmp_path: Path, deletes: int) -> None:
    """The next run deletes what a dead collector condemned, and closes his collection."""
    registry = opened(bucket)
    abandon(registry, seed=5, folder=tmp_path)
    bucket.fails_after = deletes
    with pytest.raises(StoreUnavailable):
        run(registry)
    bucket.fails_after = None
    assert registry.state.gc_open == {1}

    told = run(opened(bucket), dry_run=True)
    done = run(opened(bucket))

    assert (told.finished, told.leftovers) == ((1,), 3 - deletes)
    assert (done.finished, done.leftovers, done.blobs) == ((1,), 3 - deletes, 0)
    assert blobs_in(bucket) == set()
    assert opened(bucket).state.gc_open == frozenset()


def test_crash_after_bytes_came_back(bucket: Bucket, tmp_path: Path) -> None:
    """Finishing a dead collector's work spares what was published since."""
    registry = opened(bucket)
    abandon(registry, seed=5, folder=tmp_path)
    bucket.fails_after = 0
    with pytest.raises(StoreUnavailable):
        run(registry)
    bucket.fails_after = None
    published = republish(registry, seed=5, folder=tmp_path)

    done = run(opened(bucket))

    assert (done.finished, done.leftovers) == ((1,), 3)
    assert_served(bucket, published)


def test_two_collectors_agree(bucket: Bucket, tmp_path: Path) -> None:
    """A second collector in the middle of the first: nothing needed is lost, nothing stays."""
    first, second = opened(bucket, "first"), opened(bucket, "second")
    kept = publish(first, "1.0.0", folder=tmp_path)
    abandon(first, seed=5, folder=tmp_path)
    bucket.before_delete = lambda: run(second)

    run(first)

    assert opened(bucket).state.gc_open == frozenset()
    assert len(blobs_in(bucket)) == len(set(kept.release.blobs))
    assert_served(bucket, kept)


def test_interrupted_purge_is_finished(bucket: Bucket, tmp_path: Path) -> None:
    """Purged bytes go at once, whatever their age, and without another record."""
    registry = opened(bucket)
    kept = publish(registry, "1.0.0", folder=tmp_path)
    publish(registry, "2.0.0", folder=tmp_path)
    bucket.fails_after = 1
    with pytest.raises(StoreUnavailable):
        registry.purge(ref("2.0.0"), author=Author(actor="ann", reason="consent withdrawn"))
    bucket.fails_after = None
    seq = registry.seq

    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (done.leftovers, done.collections, registry.seq) == (2, (), seq)
    assert len(blobs_in(bucket)) == len(set(kept.release.blobs))
    assert_served(bucket, kept)


def test_publishers_race_collectors(registry: Registry, tmp_path: Path) -> None:
    """Two publishers and two collectors at once, each with its own view: every release is whole."""
    url, ended = registry.url, threading.Event()

    def publisher(number: int) -> list[Published]:
        own, folder = Registry.open(url), tmp_path / f"publisher-{number}"
        folder.mkdir()
        landed: list[Published] = []
        while len(landed) < 5:
            seed = 10 * number + len(landed)
            path = small_lora(folder, seed=seed)
            own.blobs.put_file(path, digest=sha256_file(path))
            with contextlib.suppress(PreconditionFailed):  # collections all the time: again
                landed.append(publish(own, f"{number}.{seed}.0", folder=folder, seed=seed))
        return landed

    def collector(_number: int) -> int:
        own, effective = Registry.open(url), 0
        while effective < 12 and not ended.is_set():
            effective += run(own).blobs > 0
        return effective

    for seed in (*range(5), *range(10, 15)):
        path = small_lora(tmp_path, seed=seed)
        registry.blobs.put_file(path, digest=sha256_file(path))
    with ThreadPoolExecutor() as pool:
        collected = pool.map(collector, range(2))
        try:
            published = [one for got in pool.map(publisher, range(2)) for one in got]
        finally:
            ended.set()
        effective = sum(collected)

    again = Registry.open(url)
    run(again)
    needed = {digest for one in published for digest in one.release.blobs}
    assert len(published) == 10 and effective > 0
    assert all(again.blobs.read(digest, bytes_max=1 << 20) for digest in needed)
    assert {read_blob_key(one.key) for one in again.store.objects("blob/")} == {
        (digest, again.state.collected.get(str(digest), 0)) for digest in needed
    }
