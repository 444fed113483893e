# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry import Registry
from tests.registry.fakes import promote, publish


def test_reopened_registry_has_same_state(registry: Registry, tmp_path: Path) -> None:
    """The state is nothing but the fold of the log."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    assert Registry.open(str(tmp_path / "registry")).state == registry.state
