# SPDX-License-Identifier: Apache-2.0
"""A registry worth copying, a store to copy it to that may die, and what a copy has to be."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tabard_registry.errors import (
    StoreUnavailable,
)
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.store import Outcome, Store
from tabard_registry.upkeep.fsck.fsck import check_registry, content_digest
from tabard_registry.upkeep.garbage import collect
from tabard_registry.upkeep.transfer import Transferred, export_registry, import_registry
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    fixed_clock,
    promote,
    publish,
    ref,
)


class Mortal(MemoryStore):
    """A store that a process reaches until it dies: after so many writes, nothing works.

    Attributes:
        writes_left: Writes that still work; None: all.
        answers: What creates answer next, having done their work or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.answers: list[tuple[bool, Outcome]] = []

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, unless dead; answer as told."""
        self._live()
        if not self.answers:
            return super().create(key, body=body)
        does_it, answer = self.answers.pop(0)
        if does_it:
            super().create(key, body=body)
        return answer

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Put, unless dead."""
        self._live()
        super().put(key, chunks=chunks)

    def replace(self, key: str, *, body: bytes) -> None:
        """Replace, unless dead."""
        self._live()
        super().replace(key, body=body)

    def _live(self) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise StoreUnavailable("dead", reason="STORE_UNAVAILABLE")
            self.writes_left -= 1


@pytest.fixture
def source(tmp_path: Path) -> Registry:
    """A registry whose history has everything that makes keys move."""
    registry = Registry.open(MemoryStore(), clock=fixed_clock(), new_id=counted_ids())
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
    promote(registry, "1.0.0")
    registry.purge(ref("1.2.0"), author=Author(actor="ann", reason="consent withdrawn"))
    registry.blobs.put_bytes(b"garbage")
    collect(registry, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"), workers=1)
    registry.checkpoint()
    return registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the export goes."""
    return tmp_path / "export"


def exported(source: Registry, folder: Path) -> Transferred:
    """Export with one thread."""
    return export_registry(source, folder, workers=1, sleep=lambda _seconds: None)


def imported(folder: Path, target: Store) -> Transferred:
    """Import with one thread."""
    return import_registry(folder, target, workers=1, sleep=lambda _seconds: None)


def assert_same(source: Registry, target: Store) -> None:
    """The copy is the same registry, sound, with the same state and no more than it needs."""
    copy = Registry.open(target, create=False)
    assert (copy.id, copy.seq, copy.state.head) == (source.id, source.seq, source.state.head)
    assert content_digest(copy.state) == content_digest(source.state)
    assert copy.records_since_checkpoint == 0
    assert check_registry(copy, deep=True, workers=1).findings == ()


def contents(folder: Path) -> dict[str, bytes]:
    """Every object of a folder."""
    store = FolderStore(folder)
    return {one.key: (folder / one.key).read_bytes() for one in store.objects("")}
