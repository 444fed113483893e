# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry import Author, Digest
from tabard_registry.content.blobs import blob_key
from tabard_registry.state.state import State
from tabard_registry.upkeep.inventory import Needs, current_key, read_blob_key
from tests.registry.fakes import publish, ref
from tests.registry.upkeep.garbage_buckets import Bucket, bucket, opened

__all__ = ["bucket"]


def test_needs_follow_the_state(bucket: Bucket, tmp_path: Path) -> None:
    """What is published later is needed; what was purged is not, once everything is read again."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    needs = Needs(registry.state, read=registry.evidence.document)
    second = publish(registry, "2.0.0", folder=tmp_path).release
    assert second.digest not in needs

    needs.follow(registry.state)
    registry.purge(ref("2.0.0"), author=Author(actor="ann", reason="consent withdrawn"))

    assert all(digest in needs for digest in second.blobs)
    assert needs.size_bytes(second.original[0]) == second.original_bytes
    assert needs.size_bytes(second.digest) is None
    assert all(
        digest not in Needs(registry.state, read=registry.evidence.document)
        for digest in second.blobs
    )


def test_needs_read_a_checkpoint(bucket: Bucket, tmp_path: Path) -> None:
    """They are the same whether a state was read from the log or from a checkpoint."""
    registry = opened(bucket)
    publish(registry, "1.0.0", folder=tmp_path)
    early = Needs(registry.state, read=registry.evidence.document)
    publish(registry, "2.0.0", folder=tmp_path)
    registry.checkpoint()

    again = opened(bucket)
    early.follow(again.state)

    assert again.records_since_checkpoint == 0
    assert set(Needs(again.state, read=again.evidence.document)) == set(
        Needs(registry.state, read=registry.evidence.document)
    )
    assert len(early) == len(Needs(again.state, read=again.evidence.document)) == 6


def test_names_of_blobs_are_read() -> None:
    """A key names its digest and generation; what is not one is not read."""
    digest = Digest("ab" * 32)

    assert read_blob_key(blob_key(digest)) == (digest, 0)
    assert read_blob_key(blob_key(digest, generation=7)) == (digest, 7)
    assert read_blob_key(blob_key(digest) + ".07") is None
    assert read_blob_key("blob/sha256/ab/cd") is None
    assert current_key(State(registry_id="x", seq=0, head=digest), digest) == blob_key(digest)
