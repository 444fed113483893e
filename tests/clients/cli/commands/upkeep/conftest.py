# SPDX-License-Identifier: Apache-2.0
"""A registry in a folder for each test."""

from pathlib import Path

import pytest

from tabard_registry import Registry
from tests.registry.fakes import counted_ids, fixed_clock, promote, publish


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a release, garbage and no checkpoint, in a folder."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    place = tmp_path / "registry"
    registry = Registry.open(str(place), clock=fixed_clock(), new_id=counted_ids())
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    registry.blobs.put_bytes(b"garbage")
    return place
