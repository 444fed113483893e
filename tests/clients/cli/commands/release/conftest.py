# SPDX-License-Identifier: Apache-2.0
"""A key in a file, and a registry with a release that the environment names."""

from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import publish


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a release, named by the environment."""
    place = tmp_path / "registry"
    publish(Registry.open(str(place)), "1.0.0", folder=tmp_path)
    monkeypatch.setenv("TABARD_REGISTRY", str(place))
    return place


@pytest.fixture
def key(tabard: Tabard, tmp_path: Path) -> Any:
    """Make a key in `ann.pem`; give what the command says of it."""
    ran = tabard("key", "new", tmp_path / "ann.pem", "--json")
    assert ran.code == 0
    return ran.document
