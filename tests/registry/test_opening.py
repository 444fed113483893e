# SPDX-License-Identifier: Apache-2.0

from datetime import timedelta
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.errors import UnusableRegistry
from tabard_registry.opening import random_id, utc_now
from tests.registry.fakes import MemoryStore, counted_ids, fixed_clock, promote, publish


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


def test_defaults_are_time_and_chance() -> None:
    """Times are in UTC; ids are 128 bits and never the same."""
    assert utc_now().utcoffset() == timedelta(0)
    ids = {random_id() for _ in range(100)}
    assert len(ids) == 100 and {len(bytes.fromhex(one)) for one in ids} == {16}
