# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: what it deletes, what it spares, and what no race and no crash can lose."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livery_registry import (
    AdapterName,
    Digest,
    Published,
    Registry,
    ReleaseDraft,
    Version,
    Wish,
    acts,
    check,
    sha256_file,
)
from livery_registry.blobs import blob_key
from livery_registry.collection import (
    CHECKPOINTS_KEPT,
    KEYS_NAMED_MAX,
    MIN_AGE_SECONDS,
    Collected,
    collect,
)
from livery_registry.errors import InvalidField, PreconditionFailed, StoreUnavailable
from livery_registry.inventory import Needs, current_key, read_blob_key
from livery_registry.state import State
from livery_registry.storing import store_release
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    fixed_clock,
    publish,
    ref,
    sd_profile,
    small_lora,
    small_manifest,
)

OLD = MIN_AGE_SECONDS + 1


class Bucket(MemoryStore):
    """A store in memory that can hold deletes back, fail them, and call a test before them.

    Attributes:
        late: Deletes that were acknowledged and have not happened.
        holds_back: Whether deletes only go there.
        fails_after: Deletes that still work; None: all.
        before_delete: Called once before the next delete.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late: list[str] = []
        self.holds_back = False
        self.fails_after: int | None = None
        self.before_delete: Callable[[], object] | None = None

    def delete(self, key: str) -> None:
        """Delete, or pretend to, or fail."""
        call, self.before_delete = self.before_delete, None
        if call is not None:
            call()
        if self.fails_after is not None:
            if self.fails_after == 0:
                raise StoreUnavailable("the collector dies here", reason="STORE_UNAVAILABLE")
            self.fails_after -= 1
        if self.holds_back:
            self.late.append(key)
        else:
            super().delete(key)

    def deliver(self) -> None:
        """Carry out what was held back."""
        for key in self.late:
            super().delete(key)
        self.late.clear()


@pytest.fixture
def bucket() -> Bucket:
    """An empty store."""
    return Bucket()


def opened(bucket: Bucket, name: str = "id") -> Registry:
    """Open the registry in a bucket, as one of several processes would."""
    return Registry.open(
        bucket, clock=fixed_clock(), new_id=counted_ids(name), sleep=lambda _seconds: None
    )


def run(registry: Registry, *, min_age_seconds: float = 0.0, dry_run: bool = False) -> Collected:
    """Collect in this thread."""
    return collect(
        registry, min_age_seconds=min_age_seconds, dry_run=dry_run, actor="cleaner", workers=1
    )


def abandon(registry: Registry, *, seed: int, folder: Path) -> list[Digest]:
    """Store the bytes of a release that nobody publishes; return their digests."""
    path = small_lora(folder, seed=seed, name=f"abandoned-{seed}.safetensors")
    draft = ReleaseDraft(adapter=AdapterName("acme", "lost"), version=Version.parse("9.9.9"))
    manifest = store_release(
        registry.blobs,
        draft,
        checked=check([path], profile=sd_profile()),
        files=[path],
        state=registry.state,
    )
    assert manifest.canonical is not None
    return sorted({manifest.digest, manifest.canonical.sha256, manifest.original[0].sha256})


def republish(registry: Registry, *, seed: int, folder: Path) -> Published:
    """Publish what `abandon` stored: the very same bytes."""
    path = small_lora(folder, seed=seed, name=f"abandoned-{seed}.safetensors")
    return registry.publish(
        ReleaseDraft(adapter=AdapterName("acme", "lost"), version=Version.parse("9.9.9")),
        checked=check([path], profile=sd_profile()),
        files=[path],
        actor="ann",
    )


def assert_served(bucket: Bucket, published: Published) -> None:
    """Every blob of a release can be read, by whoever opens the registry now."""
    registry = opened(bucket)
    for digest in published.release.blobs:
        assert registry.blobs.read(digest, bytes_max=1 << 20)


def blobs_in(bucket: Bucket) -> set[str]:
    """Keys of the blobs."""
    return {key for key in bucket.held if key.startswith("blob/")}


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

    def late(act: acts.Act, *, wish: Wish) -> object:
        while calls:
            calls.pop()()
        return commit(act, wish=wish)

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
        registry.commit(act, wish=Wish(actor="ann"))

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
        registry.purge(ref("2.0.0"), actor="ann", reason="consent withdrawn")
    bucket.fails_after = None
    seq = registry.seq

    done = run(registry, min_age_seconds=MIN_AGE_SECONDS)

    assert (done.leftovers, done.collections, registry.seq) == (2, (), seq)
    assert len(blobs_in(bucket)) == len(set(kept.release.blobs))
    assert_served(bucket, kept)


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

    done = collect(registry, min_age_seconds=0, dry_run=False, actor="cleaner")

    assert done.blobs == 3
    left = {read_blob_key(one.key) for one in registry.store.objects("blob/")}
    assert left == {(digest, 0) for digest in kept.release.blobs}


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


def test_many_digests_take_many_records(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record condemns a bounded number of digests, and a report names a bounded number."""
    monkeypatch.setattr("livery_registry.collection.DIGESTS_PER_COLLECTION_MAX", 60)
    registry = opened(bucket)
    for number in range(KEYS_NAMED_MAX + 50):
        registry.blobs.put_bytes(b"garbage %d" % number)

    done = run(registry)

    assert (done.blobs, len(done.collections)) == (KEYS_NAMED_MAX + 50, 3)
    assert (len(done.keys), blobs_in(bucket)) == (KEYS_NAMED_MAX, set())


def test_needs_follow_the_state(bucket: Bucket, tmp_path: Path) -> None:
    """What is published later is needed; what was purged is not, once everything is read again."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    needs = Needs(registry.state)
    second = publish(registry, "2.0.0", folder=tmp_path).release
    assert second.digest not in needs

    needs.follow(registry.state)
    registry.purge(ref("2.0.0"), actor="ann", reason="consent withdrawn")

    assert all(digest in needs for digest in second.blobs)
    assert needs.size_bytes(second.original[0]) == second.original_bytes
    assert needs.size_bytes(second.digest) is None
    assert all(digest not in Needs(registry.state) for digest in second.blobs)


def test_needs_read_a_checkpoint(bucket: Bucket, tmp_path: Path) -> None:
    """They are the same whether a state was read from the log or from a checkpoint."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    early = Needs(registry.state)
    publish(registry, "2.0.0", folder=tmp_path)
    registry.checkpoint()

    again = opened(bucket)
    early.follow(again.state)

    assert again.records_since_checkpoint == 0
    assert set(Needs(again.state)) == set(Needs(registry.state))
    assert len(early) == len(Needs(again.state)) == 6


def test_names_of_blobs_are_read() -> None:
    """A key names its digest and generation; what is not one is not read."""
    digest = Digest("ab" * 32)

    assert read_blob_key(blob_key(digest)) == (digest, 0)
    assert read_blob_key(blob_key(digest, generation=7)) == (digest, 7)
    assert read_blob_key(blob_key(digest) + ".07") is None
    assert read_blob_key("blob/sha256/ab/cd") is None
    assert current_key(State(registry_id="x", seq=0, head=digest), digest) == blob_key(digest)


@pytest.mark.parametrize(("actor", "age"), [("", 0.0), ("cleaner", -1.0)])
def test_collection_needs_actor_and_age(bucket: Bucket, actor: str, age: float) -> None:
    """Who collects is in the history; an age is not negative."""
    with pytest.raises(InvalidField):
        collect(opened(bucket), min_age_seconds=age, dry_run=True, actor=actor)
