# SPDX-License-Identifier: Apache-2.0
"""A bucket with garbage in it: whose deletes come late or fail, and who leaves what there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry import (
    AdapterName,
    Author,
    Digest,
    Published,
    Registry,
    ReleaseDraft,
    Version,
    check,
)
from tabard_registry.content.storing import store_release
from tabard_registry.errors import StoreUnavailable
from tabard_registry.upkeep.garbage import Collected, collect
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    fixed_clock,
    sd_profile,
    small_lora,
)


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
        registry,
        min_age_seconds=min_age_seconds,
        dry_run=dry_run,
        author=Author(actor="cleaner"),
        workers=1,
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
        author=Author(actor="ann"),
    )


def assert_served(bucket: Bucket, published: Published) -> None:
    """Every blob of a release can be read, by whoever opens the registry now."""
    registry = opened(bucket)
    for digest in published.release.blobs:
        assert registry.blobs.read(digest, bytes_max=1 << 20)


def blobs_in(bucket: Bucket) -> set[str]:
    """Keys of the blobs."""
    return {key for key in bucket.held if key.startswith("blob/")}
