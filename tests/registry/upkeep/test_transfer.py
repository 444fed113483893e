# SPDX-License-Identifier: Apache-2.0
"""Export and import: the same registry afterwards, resumable anywhere."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, sha256_file
from tabard_registry.content.blobs import blob_key
from tabard_registry.errors import (
    CorruptRegistry,
    StoreUnavailable,
)
from tabard_registry.log.slots import slot_key
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.store import Outcome
from tabard_registry.upkeep.garbage import collect
from tabard_registry.upkeep.transfer import export_registry, import_registry
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    publish,
    ref,
    small_lora,
)
from tests.registry.upkeep.copies import (
    Mortal,
    assert_same,
    contents,
    exported,
    folder,
    imported,
    source,
)

__all__ = ["folder", "source"]


def test_export_is_the_same_registry(source: Registry, folder: Path) -> None:
    """Id, history, state, blobs; format.json to the byte."""
    done = exported(source, folder)

    assert (done.registry_id, done.seq, done.records, done.blobs) == (source.id, 7, 7, 6)
    assert_same(source, FolderStore(folder))
    assert (folder / "format.json").read_bytes() == source.store.read("format.json", bytes_max=4096)


def test_import_is_the_same_registry(source: Registry, folder: Path) -> None:
    """From the folder into an empty store: as it was."""
    exported(source, folder)
    target = MemoryStore()

    done = imported(folder, target)

    assert (done.registry_id, done.seq, done.records, done.blobs) == (source.id, 7, 7, 6)
    assert_same(source, target)


def test_copy_can_be_written_to(source: Registry, folder: Path, tmp_path: Path) -> None:
    """History goes on where it was."""
    exported(source, folder)

    copy = Registry.open(str(folder), create=False)
    published = publish(copy, "5.0.0", folder=tmp_path)

    assert (published.created, published.seq) == (True, source.seq + 1)


def test_returned_bytes_keep_their_key(source: Registry, folder: Path, tmp_path: Path) -> None:
    """Bytes of a later generation lie under its key in the copy too."""
    path = small_lora(tmp_path, seed=77)
    source.blobs.put_file(path, digest=sha256_file(path))
    collect(source, min_age_seconds=0, dry_run=False, author=Author(actor="cleaner"), workers=1)
    publish(source, "4.0.0", folder=tmp_path, seed=77)
    source.checkpoint()

    exported(source, folder)

    assert blob_key(sha256_file(path), generation=8) in contents(folder)
    assert_same(source, FolderStore(folder))


def test_empty_registry_is_copied(folder: Path) -> None:
    """Nothing but its id."""
    source = Registry.open(MemoryStore(), new_id=counted_ids())
    target = MemoryStore()

    exported(source, folder)
    imported(folder, target)

    assert target.held == {"format.json": contents(folder)["format.json"]}


def test_export_again_adds_what_is_new(source: Registry, folder: Path, tmp_path: Path) -> None:
    """An earlier export becomes the present one, and loses what was purged since."""
    exported(source, folder)
    publish(source, "5.0.0", folder=tmp_path)
    source.purge(ref("1.1.0"), author=Author(actor="ann", reason="consent withdrawn"))
    source.checkpoint()

    done = exported(source, folder)

    assert (done.records, done.blobs, done.present) == (2, 3, 7 + 3)
    assert_same(source, FolderStore(folder))


def test_repeating_changes_nothing(source: Registry, folder: Path) -> None:
    """Export and import again: everything is there."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    before = contents(folder), dict(target.held)

    again = exported(source, folder), imported(folder, target)

    assert (contents(folder), target.held) == before
    assert [(one.records, one.blobs) for one in again] == [(0, 0), (0, 0)]


def test_import_mends(source: Registry, folder: Path) -> None:
    """Blobs that are lost, cut or changed come back, and so do records; each is counted."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    lost, cut, changed = [key for key in target.held if key.startswith("blob/")][:3]
    del target.held[lost], target.held[slot_key(7)]
    target.held[cut] = target.held[cut][:-1]
    target.held[changed] = target.held[changed][:-1] + b"!"

    done = imported(folder, target)

    assert (done.records, done.blobs, done.mended, done.present) == (1, 3, 2, 6 + 3)
    assert_same(source, target)


def test_import_catches_up(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A place that is behind gets what is new, and loses what was purged since."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(source, "5.0.0", folder=tmp_path)
    source.purge(ref("1.1.0"), author=Author(actor="ann", reason="consent withdrawn"))
    source.checkpoint()
    exported(source, folder)

    done = imported(folder, target)

    assert (done.records, done.blobs, done.mended) == (2, 3, 0)
    assert_same(source, target)


def test_export_mends(source: Registry, folder: Path) -> None:
    """Bytes of an earlier export that changed since are not trusted: they are copied again."""
    exported(source, folder)
    blob = next(key for key in contents(folder) if key.startswith("blob/"))
    content = bytearray((folder / blob).read_bytes())
    content[-1] ^= 1
    (folder / blob).write_bytes(content)

    done = exported(source, folder)

    assert (done.records, done.blobs, done.mended) == (0, 1, 1)
    assert_same(source, FolderStore(folder))


def test_import_is_taken_up_anywhere(source: Registry, folder: Path) -> None:
    """Dead after any number of writes, it is no registry; repeated, it is the whole one."""
    exported(source, folder)
    for writes in itertools.count():
        target = Mortal()
        target.writes_left = writes
        try:
            imported(folder, target)
        except StoreUnavailable:
            assert "format.json" not in target.held
            assert writes == 0 or _refusal(lambda store=target: Registry.open(store))
        else:
            break
        target.writes_left = None

        done = imported(folder, target)

        assert done.records + done.blobs <= 13 - min(writes, 13)
        assert_same(source, target)
    assert writes > 13


def _refusal(open_it: Callable[[], object]) -> str:
    with pytest.raises(CorruptRegistry) as caught:
        open_it()
    return caught.value.reason


def test_export_is_taken_up(
    source: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that an export was making is not taken for a registry, until it is done."""

    def dies(_self: object, key: str, **_said: object) -> None:
        raise StoreUnavailable(f"dead at {key}", reason="STORE_UNAVAILABLE")

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "put", dies)
        with pytest.raises(StoreUnavailable):
            exported(source, folder)
    assert _refusal(lambda: Registry.open(str(folder))) == "CORRUPT_FORMAT"

    done = exported(source, folder)

    assert (done.records, done.present, done.blobs) == (0, 7, 6)
    assert_same(source, FolderStore(folder))


@pytest.mark.parametrize(
    "answers",
    [
        [(True, Outcome.UNKNOWN)],
        [(False, Outcome.UNKNOWN), (True, Outcome.UNKNOWN)],
        [(True, Outcome.OCCUPIED)],
        [(False, Outcome.OCCUPIED)] * 3,
    ],
)
def test_lost_answers_are_settled(
    source: Registry, folder: Path, answers: list[tuple[bool, Outcome]]
) -> None:
    """Whatever a create answers, what the slot holds decides."""
    exported(source, folder)
    target = Mortal()
    target.answers = answers

    imported(folder, target)

    assert_same(source, target)


def test_endless_doubt_is_an_error(source: Registry, folder: Path) -> None:
    """A store that never tells is given up on."""
    exported(source, folder)
    target = Mortal()
    target.answers = [(False, Outcome.UNKNOWN)] * 50

    with pytest.raises(StoreUnavailable) as caught:
        imported(folder, target)

    assert caught.value.reason == "COMMIT_UNKNOWN"


def test_folder_to_folder_with_threads(registry: Registry, tmp_path: Path) -> None:
    """As the command line does it, with progress."""
    publish(registry, "1.0.0", folder=tmp_path)
    registry.checkpoint()
    told: list[str] = []
    export_registry(
        registry,
        tmp_path / "export",
        progress=lambda what, _done, _total: told.append(what),
    )

    import_registry(tmp_path / "export", str(tmp_path / "again"))

    assert {"copying the log", "copying blobs"} <= set(told)
    assert_same(registry, FolderStore(tmp_path / "again"))
