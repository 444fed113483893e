# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

import tabard_registry
import tabard_registry.errors
from tabard_registry import (
    AdapterName,
    Author,
    Registry,
    ReleaseDraft,
    Version,
    check,
    read_canonical,
    sha256_file,
)
from tabard_registry.errors import CorruptRegistry, IntakeRefused, RegistryError, UnusableRegistry
from tests.registry.fakes import (
    NAME,
    MemoryStore,
    counted_ids,
    fixed_clock,
    promote,
    publish,
    sd_profile,
)


def test_blobs_come_back_verified(registry: Registry, tmp_path: Path) -> None:
    """Original and canonical bytes come back; damaged ones do not."""
    manifest = registry.manifest(publish(registry, "1.0.0", folder=tmp_path).release.digest)
    target = tmp_path / "fetched"

    registry.fetch(manifest.original[0], target)
    registry.fetch(manifest.canonical, tmp_path / "canonical")

    assert sha256_file(target) == manifest.original[0].sha256
    assert len(read_canonical(tmp_path / "canonical", manifest).layers) == len(manifest.targets)
    path = registry.blob_path(manifest.canonical.sha256)
    assert path is not None
    path.write_bytes(b"damaged")
    with pytest.raises(CorruptRegistry):
        registry.fetch(manifest.canonical, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_refused_files_are_not_published(registry: Registry, tmp_path: Path) -> None:
    """A report that is not accepted is the error."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"GIF89a, a picture")
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))

    with pytest.raises(IntakeRefused) as caught:
        registry.publish(
            draft,
            checked=check([path], profile=sd_profile()),
            files=[path],
            author=Author(actor="ann"),
        )

    assert caught.value.reason == "NOT_SAFETENSORS"
    assert registry.state.adapters_after() == ()


def test_history_is_one_query(registry: Registry, tmp_path: Path) -> None:
    """History is told by adapter, channel and number, oldest first."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    promote(registry, "1.0.0", channel="canary")
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.1.0")

    def seqs(**query: object) -> list[int]:
        return [applied.seq for applied in registry.queries.history(**query)]  # type: ignore[arg-type]

    assert seqs() == [1, 2, 3, 4, 5]
    assert seqs(adapter=NAME, channel="stable") == [2, 5]
    assert seqs(adapter=NAME, limit=2) == [4, 5]
    assert seqs(adapter=AdapterName("acme", "oil")) == []
    assert registry.queries.history(NAME, channel="stable")[-1].previous_digest


def test_public_names_are_exported() -> None:
    """Every name that the package promises is there, and so is every error."""
    assert all(hasattr(tabard_registry, name) for name in tabard_registry.__all__)
    errors = {name for name, value in vars(tabard_registry.errors).items() if _is_error(value)}
    assert errors <= set(tabard_registry.__all__)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, RegistryError)


def test_reopened_registry_has_same_state(registry: Registry, tmp_path: Path) -> None:
    """The state is nothing but the fold of the log."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    assert Registry.open(str(tmp_path / "registry")).state == registry.state


class Swept(MemoryStore):
    """A store that counts its sweeps."""

    def __init__(self, *, is_swept: bool) -> None:
        super().__init__()
        self.is_swept_when_opened = is_swept
        self.sweeps = 0

    def sweep(self) -> int:
        """Count."""
        self.sweeps += 1
        return 0


@pytest.mark.parametrize("is_swept", [True, False])
def test_store_decides_whether_it_is_swept(is_swept: bool) -> None:
    """Leftovers of a folder go when it is opened; those of a bucket are others' uploads."""
    store = Swept(is_swept=is_swept)

    Registry.open(store, clock=fixed_clock(), new_id=counted_ids())

    assert store.sweeps == is_swept


def test_new_registry_is_made_only_if_asked() -> None:
    """Opening an empty place to read it leaves it empty."""
    store = MemoryStore()

    with pytest.raises(UnusableRegistry):
        Registry.open(store, create=False)

    assert store.held == {}


def test_ids_are_drawn_by_chance() -> None:
    """Unless they are given: 128 bits, never the same."""
    one, other = Registry.open(MemoryStore()), Registry.open(MemoryStore())

    assert one.id != other.id
    assert len(bytes.fromhex(one.id)) == 16
