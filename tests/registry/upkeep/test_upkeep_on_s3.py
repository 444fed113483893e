# SPDX-License-Identifier: Apache-2.0
"""Collecting, examining and copying a registry in a bucket; moto where no real one is named."""

from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tabard_registry.errors import NotFound
from tabard_registry.place import open_store
from tabard_registry.upkeep.fsck.fsck import check_registry, content_digest
from tabard_registry.upkeep.garbage import collect
from tabard_registry.upkeep.transfer import export_registry, import_registry
from tests.registry.fakes import promote, publish, ref


@pytest.fixture
def bucket(s3_url: str, tmp_path: Path) -> Registry:
    """A registry in a bucket: releases, a purge, garbage, a checkpoint."""
    registry = Registry.open(s3_url)
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
    promote(registry, "1.0.0")
    registry.purge(ref("1.1.0"), author=Author(actor="ann", reason="consent withdrawn"))
    registry.blobs.put_bytes(b"garbage")
    registry.checkpoint()
    return registry


def test_bucket_is_collected(bucket: Registry) -> None:
    """Garbage goes, what is needed stays, and the examination finds nothing."""
    before = check_registry(bucket.url, deep=True)

    done = collect(bucket, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"))

    assert (before.is_sound, [one.severity for one in before.findings]) == (True, ["info"])
    assert (done.blobs, done.freed_bytes) == (1, 7)
    after = check_registry(bucket.url, deep=True)
    assert (after.findings, after.blobs) == ((), 3)


def test_returned_bytes_are_found(bucket: Registry) -> None:
    """A key of a later generation is a key like any other to a bucket."""
    digest = bucket.blobs.put_bytes(b"garbage")
    collect(bucket, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"))

    bucket.blobs.put_bytes(b"garbage")

    assert bucket.blobs.read(digest, bytes_max=99) == b"garbage"
    assert (
        collect(bucket, min_age_seconds=0, dry_run=True, author=Author(actor="cleaner")).blobs == 1
    )


def test_damage_in_a_bucket_is_named(bucket: Registry) -> None:
    """A blob that somebody deleted."""
    release = bucket.state.resolve(ref("1.0.0"))
    assert release.canonical is not None
    bucket.blobs.delete(release.canonical)

    report = check_registry(bucket.url, deep=False)

    (finding,) = (one for one in report.findings if one.severity == "error")
    assert release.canonical.hex[2:] in finding.key and str(release) in finding.problem


def test_bucket_goes_to_a_folder_and_back(bucket: Registry, tmp_path: Path) -> None:
    """The same registry, in another place of the bucket."""
    export_registry(bucket, tmp_path / "export")

    import_registry(tmp_path / "export", f"{bucket.url}-again")

    copy = Registry.open(f"{bucket.url}-again", create=False)
    assert copy.id == bucket.id
    assert content_digest(copy.state) == content_digest(bucket.state)
    assert check_registry(open_store(f"{bucket.url}-again"), deep=True).is_sound


def test_backup_is_whole_while_acts_go_on(bucket: Registry, tmp_path: Path) -> None:
    """Published, promoted and purged under way: the copy is sound, and restores a registry."""
    acting = Registry.open(bucket.url, create=False)
    release = bucket.state.resolve(ref("1.0.0"))
    done: list[str] = []

    def act(what: str, _done: int, _total: int | None) -> None:
        if done or what != "copying the log":
            return
        done.append(what)
        publish(acting, "2.0.0", folder=tmp_path, seed=77)
        promote(acting, "2.0.0")
        acting.purge(ref("1.0.0"), author=Author(actor="ann", reason="consent withdrawn"))

    export_registry(bucket, tmp_path / "backup", progress=act)
    import_registry(tmp_path / "backup", f"{bucket.url}-again")

    assert done
    assert release.original
    for place in (str(tmp_path / "backup"), f"{bucket.url}-again"):
        assert check_registry(place, deep=True).is_sound
        copy = Registry.open(place, create=False)
        assert copy.seq == acting.seq
        assert content_digest(copy.state) == content_digest(acting.state)


def test_lost_blob_is_still_told(bucket: Registry, tmp_path: Path) -> None:
    """What is missing though nothing was purged is no race: it is named."""
    release = bucket.state.resolve(ref("1.0.0"))
    assert release.canonical is not None
    bucket.blobs.delete(release.canonical)

    with pytest.raises(NotFound, match=r"blob|there is no"):
        export_registry(bucket, tmp_path / "backup")
