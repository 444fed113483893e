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
from tabard_registry.store.folder import FolderStore
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


def test_export_never_goes_back(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A copy with more records than the registry is refused, and stays."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    older = Registry.open(target)
    publish(Registry.open(str(folder)), "6.0.0", folder=tmp_path)
    ahead = contents(folder)

    with pytest.raises(UnusableRegistry, match=r"is ahead: .* ends at record 7") as caught:
        exported(older, folder)

    assert caught.value.reason == "PLACE_OCCUPIED" and "empty place" in caught.value.hint
    assert contents(folder) == ahead


def test_import_never_goes_back(source: Registry, folder: Path, tmp_path: Path) -> None:
    """Not even blobs are touched: which of them are purged only the longer log knows."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(Registry.open(target), "6.0.0", folder=tmp_path)
    del target.held[next(key for key in target.held if key.startswith("blob/"))]
    before = dict(target.held)

    with pytest.raises(UnusableRegistry, match="is ahead") as caught:
        imported(folder, target)

    assert caught.value.reason == "PLACE_OCCUPIED"
    assert target.held == before


def test_longer_fork_is_no_head_start(source: Registry, folder: Path, tmp_path: Path) -> None:
    """Another history is told as that, however long it is."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(source, "5.0.0", folder=tmp_path)
    exported(source, folder)
    for version in ("6.0.0", "6.1.0"):
        publish(Registry.open(target), version, folder=tmp_path)
    before = dict(target.held)

    with pytest.raises(UnusableRegistry, match=f"another record in {slot_key(8)}"):
        imported(folder, target)

    assert target.held == before


@pytest.mark.parametrize("inside", [".", "copy", "blob/copy", "../link", "../link/copy"])
def test_registry_is_not_copied_into_itself(registry: Registry, inside: str) -> None:
    """Such a copy would be lost with what it copies; links are seen through."""
    root = Path(registry.url.removeprefix("file://"))
    (root.parent / "link").symlink_to(root)
    before = contents(root)

    for transfer in (
        lambda: exported(registry, root / inside),
        lambda: imported(root, FolderStore(root / inside)),
    ):
        with pytest.raises(UnusableRegistry, match="which is copied") as caught:
            transfer()
        assert caught.value.reason == "PLACE_OCCUPIED"

    assert contents(root) == before


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


def test_damage_takes_nothings_place(source: Registry, folder: Path) -> None:
    """What is damaged in the copy stays when it is damaged, or lost, in what is copied."""
    exported(source, folder)
    store = source.store
    assert isinstance(store, MemoryStore)
    blob = next(key for key in contents(folder) if key.startswith("blob/"))
    (folder / blob).write_bytes(b"damaged")
    before = contents(folder)
    whole = store.held[blob]

    store.held[blob] = whole[:-1] + b"!"
    with pytest.raises(CorruptRegistry, match=blob):
        exported(source, folder)
    del store.held[blob]
    with pytest.raises(NotFound):
        exported(source, folder)

    assert contents(folder) == before


def test_import_needs_a_registry(tmp_path: Path) -> None:
    """An empty folder is none, and the target stays empty."""
    target = MemoryStore()

    with pytest.raises(UnusableRegistry):
        imported(tmp_path / "nothing", target)

    assert target.held == {}
