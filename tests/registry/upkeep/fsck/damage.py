# SPDX-License-Identifier: Apache-2.0
"""A registry with everything in it, ways to damage it, and what is then found."""

from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tabard_registry.content.blobs import blob_key
from tabard_registry.errors import StoreUnavailable
from tabard_registry.upkeep.fsck.findings import Finding, FsckResult
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.garbage import collect
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    fixed_clock,
    promote,
    publish,
    ref,
)


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """A registry with everything in it: releases, moves, a purge, a collection, a checkpoint."""
    store = MemoryStore()
    registry = reopened(store)
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        publish(registry, version, folder=tmp_path)
    for version in ("1.0.0", "1.1.0"):
        promote(registry, version)
    registry.blobs.put_bytes(b"nobody needs this")
    collect(registry, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"), workers=1)
    registry.purge(ref("1.3.0"), author=Author(actor="ann", reason="consent withdrawn"))
    registry.checkpoint()
    registry.yank(ref("1.2.0"), author=Author(actor="ann", reason="pale"))
    return store


def reopened(store: MemoryStore) -> Registry:
    """Open the registry as another process would."""
    return Registry.open(
        store, clock=fixed_clock(), new_id=counted_ids(), sleep=lambda _seconds: None
    )


def examined(store: MemoryStore, *, deep: bool = False) -> FsckResult:
    """Examine, and see that nothing was written."""
    before = dict(store.held)
    report = check_registry(store, deep=deep, workers=1)
    assert store.held == before
    return report


def only(report: FsckResult, *, severity: str = "error") -> Finding:
    """The one finding of a severity; it has a remedy."""
    (found,) = (finding for finding in report.findings if finding.severity == severity)
    assert found.problem and found.remedy
    return found


def flip(store: MemoryStore, key: str, *, at: int = -9) -> None:
    """Change one bit of an object."""
    content = bytearray(store.held[key])
    content[at] ^= 1
    store.held[key] = bytes(content)


def blob_of(store: MemoryStore, version: str) -> str:
    """Key of the canonical file of a release."""
    canonical = reopened(store).state.resolve(ref(version)).canonical
    assert canonical is not None
    return blob_key(canonical)


def checkpoint_of(store: MemoryStore) -> str:
    """Key of the one checkpoint."""
    (key,) = (key for key in store.held if key.startswith("checkpoint/"))
    return key


def dies(_key: str) -> None:
    raise StoreUnavailable("the process dies here", reason="STORE_UNAVAILABLE")
