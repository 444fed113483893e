# SPDX-License-Identifier: Apache-2.0
"""`tabard grid put` gives a namespace or a line a grid, or says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tabard_registry.evidence.documents import to_bytes
from tests.clients.cli.conftest import Tabard
from tests.registry.evidence.reports import grid


def written(folder: Path, **fields: Any) -> Path:
    """A grid's file."""
    path = folder / "grid.json"
    path.write_text(json.dumps(json.loads(to_bytes(grid())) | fields), encoding="utf-8")
    return path


def test_grid_is_given(tabard: Tabard, tmp_path: Path) -> None:
    """Said again nothing changes."""
    first, again = (tabard("grid", "put", written(tmp_path), "--for", "acme") for _ in range(2))

    assert (first.code, again.code) == (0, 0)
    assert first.out.startswith("small of acme is sha256:")
    assert again.out == f"nothing changed: {first.out}"


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"prompts": []}, "acme", "GRID_EMPTY"),
        ({"seeds": list(range(99))}, "acme", "GRID_TOO_LARGE"),
        ({"steps": "many"}, "acme", "FIELD_INVALID"),
        ({}, "Acme Inc", "INVALID_NAME"),
    ],
)
def test_bad_grid_is_refused(
    tabard: Tabard, tmp_path: Path, fields: dict[str, Any], place: str, reason: str
) -> None:
    """With the reason and what to do."""
    ran = tabard("grid", "put", written(tmp_path, **fields), "--for", place)

    assert ran.code == 4
    assert reason in ran.err and "hint: " in ran.err


def test_absent_file_is_refused(tabard: Tabard, tmp_path: Path) -> None:
    """Before a server is asked."""
    assert tabard("grid", "put", tmp_path / "absent.json", "--for", "acme").code == 4
