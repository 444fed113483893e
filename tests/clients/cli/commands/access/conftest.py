# SPDX-License-Identifier: Apache-2.0
"""A registry that lies here."""

from pathlib import Path

import pytest

from tabard_registry import Registry


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a registry in a folder, which no variable names."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    Registry.open(str(tmp_path / "registry")).close()
    return tmp_path / "registry"
