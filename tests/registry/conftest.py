# SPDX-License-Identifier: Apache-2.0
"""What every registry test may ask for: an empty registry in a folder of its own."""

from pathlib import Path

import pytest

from tabard_registry import Registry
from tests.registry.fakes import counted_ids, fixed_clock


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry in a folder."""
    return Registry.open(str(tmp_path / "registry"), clock=fixed_clock(), new_id=counted_ids())
