# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry import Author, Digest, Registry
from tabard_registry.content.blobs import blob_key
from tabard_registry.state.state import State
from tabard_registry.upkeep.inventory import Needs, current_key, read_blob_key
from tests.registry.fakes import publish, ref
from tests.registry.upkeep.garbage_buckets import Bucket, bucket, opened

__all__ = ["bucket"]


def needs_of(registry: Registry) -> Needs:
    """What the newest state needs."""
    return Needs(registry.state, read=registry.evidence.document)


def test_needs_follow_the_state(bucket: Bucket, tmp_path: Path) -> None:
    """What is published later is needed; what was purged is not, once everything is read again."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    needs = needs_of(registry)
    second = publish(registry, "2.0.0", folder=tmp_path).release
    assert second.digest not in needs

    needs.follow(registry.state)
    registry.purge(ref("2.0.0"), author=Author(actor="ann", reason="consent withdrawn"))

    assert all(digest in needs for digest in second.blobs)
    assert needs.size_bytes(second.original[0]) == second.original_bytes
    assert needs.size_bytes(second.digest) is None
    assert all(digest not in needs_of(registry) for digest in second.blobs)


def test_needs_read_a_checkpoint(bucket: Bucket, tmp_path: Path) -> None:
    """They are the same whether a state was read from the log or from a checkpoint."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    early = needs_of(registry)
    publish(registry, "2.0.0", folder=tmp_path)
    registry.checkpoint()

    again = opened(bucket)
    early.follow(again.state)

    assert again.records_since_checkpoint == 0
    assert set(needs_of(again)) == set(needs_of(registry))
    assert len(early) == len(needs_of(again)) == 6


def test_names_of_blobs_are_read() -> None:
    """A key names its digest and generation; what is not one is not read."""
    digest = Digest("ab" * 32)

    assert read_blob_key(blob_key(digest)) == (digest, 0)
    assert read_blob_key(blob_key(digest, generation=7)) == (digest, 7)
    assert read_blob_key(blob_key(digest) + ".07") is None
    assert read_blob_key("blob/sha256/ab/cd") is None
    assert current_key(State(registry_id="x", seq=0, head=digest), digest) == blob_key(digest)
