# SPDX-License-Identifier: Apache-2.0
"""What servers share and no API shows."""

from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.content.blind_book import KEY_BYTES, BlindBook
from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.place import BLIND_FOLDER
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.store import Outcome
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.transfer import export_registry


def test_first_key_is_everybodys(registry: Registry) -> None:
    """Whoever else asks reads it, however often; the log knows nothing of it."""
    first = BlindBook(registry.store, new_key=lambda count: b"k" * count)
    second = BlindBook(registry.store, new_key=lambda count: b"x" * count)

    assert first.key() == second.key() == first.key() == b"k" * KEY_BYTES
    assert registry.seq == 0


def test_key_is_drawn_at_random(registry: Registry, tmp_path: Path) -> None:
    """Two registries have two."""
    other = Registry.open(str(tmp_path / "other"))

    assert BlindBook(registry.store).key() != BlindBook(other.store).key()


def test_reader_is_noted(registry: Registry) -> None:
    """By set of pairs, for all servers; doing it again is fine, and names are anything."""
    book, elsewhere = BlindBook(registry.store), BlindBook(registry.store)
    name = "../ann \udc80🎨"

    for _ in range(2):
        book.note_seen("f" * 64, reader=name)

    assert elsewhere.has_seen("f" * 64, reader=name)
    assert not elsewhere.has_seen("f" * 64, reader="bob")
    assert not elsewhere.has_seen("e" * 64, reader=name)


class Unsure(FolderStore):
    """A store that never says what came of a create, and did not do it."""

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Do nothing."""
        return Outcome.UNKNOWN


def test_unknown_outcome_is_no_promise(tmp_path: Path) -> None:
    """Neither a key that is not there nor a mark that may be missing."""
    book = BlindBook(Unsure(tmp_path / "place"))

    with pytest.raises(StoreUnavailable):
        book.key()
    with pytest.raises(StoreUnavailable):
        book.note_seen("f" * 64, reader="ann")


def test_damaged_key_is_told(registry: Registry) -> None:
    """Half a key would be another one."""
    registry.store.replace(f"{BLIND_FOLDER}/key", body=b"short")

    with pytest.raises(CorruptRegistry):
        BlindBook(registry.store).key()


def test_place_with_it_is_sound_and_backed_up_without(registry: Registry, tmp_path: Path) -> None:
    """A backup is the log and its blobs: it unblinds nobody."""
    book = BlindBook(registry.store)
    book.key()
    book.note_seen("f" * 64, reader="ann")

    export_registry(registry, tmp_path / "backup")

    assert check_registry(registry, deep=True).findings == ()
    assert not (tmp_path / "backup" / BLIND_FOLDER).exists()
