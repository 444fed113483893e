# SPDX-License-Identifier: Apache-2.0
"""What export and import refuse: other registries, forks, damage. Nothing is overwritten."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.errors import (
    CorruptRegistry,
    NotFound,
    UnusableRegistry,
)
from tabard_registry.log.slots import slot_key
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    publish,
)
from tests.registry.upkeep.copies import contents, exported, folder, imported, source

__all__ = ["folder", "source"]


def another() -> MemoryStore:
    """Another registry."""
    store = MemoryStore()
    Registry.open(store, new_id=counted_ids("other"))
    return store


def strange() -> MemoryStore:
    """Somebody's pictures."""
    store = MemoryStore()
    store.held["holidays.jpg"] = b"mine"
    return store


def half_of_another() -> MemoryStore:
    """What an interrupted import of another registry left."""
    store = MemoryStore()
    store.held[slot_key(1)] = b"{}"
    return store


@pytest.mark.parametrize("make", [another, strange, half_of_another])
def test_import_refuses_what_is_not_its_own(
    source: Registry, folder: Path, make: Callable[[], MemoryStore]
) -> None:
    """And touches nothing of it."""
    exported(source, folder)
    target = make()
    before = dict(target.held)

    with pytest.raises(UnusableRegistry):
        imported(folder, target)

    assert target.held == before


@pytest.mark.parametrize("make", [another, strange, half_of_another])
def test_export_refuses_what_is_not_its_own(
    source: Registry, folder: Path, make: Callable[[], MemoryStore]
) -> None:
    """Likewise."""
    for key, content in make().held.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
    before = contents(folder)

    with pytest.raises(UnusableRegistry):
        exported(source, folder)

    assert contents(folder) == before


def test_import_never_adds_to_a_registry(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A complete copy that lacks new records is refused: it may be in use."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(source, "5.0.0", folder=tmp_path)
    exported(source, folder)
    before = dict(target.held)

    with pytest.raises(UnusableRegistry, match="already"):
        imported(folder, target)

    assert target.held == before


def test_import_accepts_what_went_on(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A copy that has all of it, and more since, is left as it is."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(Registry.open(target), "6.0.0", folder=tmp_path)
    before = dict(target.held)

    done = imported(folder, target)

    assert (done.records, done.seq, target.held) == (0, 7, before)


def test_forked_histories_do_not_mix(source: Registry, folder: Path, tmp_path: Path) -> None:
    """An export that somebody published to is not exported into again."""
    exported(source, folder)
    publish(Registry.open(str(folder)), "5.0.0", folder=tmp_path)
    publish(source, "5.1.0", folder=tmp_path)

    with pytest.raises(UnusableRegistry, match=slot_key(8)):
        exported(source, folder)


def test_damage_is_not_copied(source: Registry, folder: Path) -> None:
    """A blob, a record: whatever is wrong is named, and the copy never becomes a registry."""
    store = source.store
    assert isinstance(store, MemoryStore)
    whole = dict(store.held)
    blob = next(key for key in whole if key.startswith("blob/"))
    for key in (blob, slot_key(3), slot_key(7)):
        store.held = {**whole, key: whole[key][:-3] + b"!!!"}
        with pytest.raises(CorruptRegistry, match=key):
            exported(source, folder / key)
        assert not (folder / key / "format.json").exists()

    store.held = {key: body for key, body in whole.items() if key != blob}
    with pytest.raises(NotFound):
        exported(source, folder / "missing")


def test_damaged_copy_is_not_passed_over(source: Registry, folder: Path) -> None:
    """Bytes of an earlier export that changed since are found, not trusted."""
    exported(source, folder)
    blob = next(key for key in contents(folder) if key.startswith("blob/"))
    content = bytearray((folder / blob).read_bytes())
    content[-1] ^= 1
    (folder / blob).write_bytes(content)

    with pytest.raises(CorruptRegistry, match=blob):
        exported(source, folder)


def test_import_needs_a_registry(tmp_path: Path) -> None:
    """An empty folder is none, and the target stays empty."""
    target = MemoryStore()

    with pytest.raises(UnusableRegistry):
        imported(tmp_path / "nothing", target)

    assert target.held == {}
